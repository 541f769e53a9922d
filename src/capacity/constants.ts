/**
 * The constants of the capacity model: what one thing costs, with how that is known. Pure data.
 *
 * `measured`: a figure in bench/RESULTS.md, or counted or timed on the shipped code; `source` says
 * where. `read`: a number that stands in the code. `estimated`: reckoned from other figures or from
 * general experience with the engine, and right within a factor of two.
 *
 * Costs are of one core of the machine in bench/RESULTS.md (2 × AMD EPYC, Node 20).
 */

export type Mark = "measured" | "read" | "estimated";

export interface Constant {
  value: number;
  unit: string;
  mark: Mark;
  /** Where the figure stands, or what it was reckoned from. */
  source: string;
  /** The day on which it was measured, read or estimated. */
  date: string;
}

/** The sections of bench/RESULTS.md and the reading of the code are of these days. */
const FIRST_RESULTS = "2026-11-23";
const LATER_RESULTS = "2026-11-30";

function measured(value: number, unit: string, source: string, date = FIRST_RESULTS): Constant {
  return { value, unit, mark: "measured", source, date };
}

function read(value: number, unit: string, source: string): Constant {
  return { value, unit, mark: "read", source, date: LATER_RESULTS };
}

function estimated(value: number, unit: string, source: string): Constant {
  return { value, unit, mark: "estimated", source, date: LATER_RESULTS };
}

export const CONSTANTS = {
  // What a host pays.
  messageCpu: measured(
    50.6e-6,
    "s",
    "RESULTS, what 1.1 costs: durable, workers and primary",
    LATER_RESULTS,
  ),
  deliveryCpu: measured(1.25e-6, "s", "RESULTS, a lone message and memory: fanout, three rounds"),
  typingHeardCpu: measured(4.59e-6, "s", "RESULTS, against plain, again: typing"),
  statusHeardCpu: measured(5.2e-6, "s", "RESULTS, against plain: the first figures: presence"),
  handshakeCpu: measured(2.97e-3, "s", "RESULTS, a lone message and memory: connect"),
  connectionCpu: measured(13.5e-6, "s a second", "RESULTS, many connections: idle"),
  markCpu: estimated(20e-6, "s", "a message without its commit and its text"),
  hopCpu: estimated(
    25e-6,
    "s",
    "one message between two hosts, both sides: sealing and opening 1.9 µs, the rest Redis' client",
  ),
  viewTableCpu: measured(10e-3, "s", "RESULTS, what a new view costs: the table", LATER_RESULTS),
  viewSliceCpu: measured(12e-3, "s", "RESULTS, what a new view costs: 400 workers", LATER_RESULTS),
  announcementCpu: estimated(5e-6, "s", "an event that every edge decodes"),

  // What a host keeps.
  connectionBytes: measured(
    25_100,
    "bytes",
    "RESULTS, mechanisms: memory of people with five talks",
  ),
  streamBytes: estimated(1_000, "bytes", "a conversation of one session beyond those five"),
  watchBytes: measured(
    574,
    "bytes",
    "one watched user at the edge, the primary and the relay",
    LATER_RESULTS,
  ),
  topicBytes: measured(
    190,
    "bytes",
    "one topic at the primary's switchboard and the relay",
    LATER_RESULTS,
  ),
  workerBytes: measured(
    185e6,
    "bytes",
    "RESULTS, what 1.1 costs: the tree with two workers",
    LATER_RESULTS,
  ),

  // What Redis pays.
  redisPublishCpu: estimated(2.5e-6, "s", "one PUBLISH with its signature, without a listener"),
  redisDeliveryCpu: estimated(1.54e-6, "s", "650,000 deliveries a second of one core"),
  redisSubscriptionBytes: estimated(150, "bytes", "a channel and its one subscriber"),
  redisSubscriptionsPerS: estimated(400_000, "a second", "subscriptions that one master takes"),
  redisRenewalCpu: estimated(8e-6, "s", "the renewal of one lease that changes nothing"),
  renewEveryS: read(0.75, "s", "src/relay/lease.ts: RENEW_MS"),
  frameBytes: measured(
    423,
    "bytes",
    "the event of a message of 80 characters, encoded",
    LATER_RESULTS,
  ),

  // What PostgreSQL pays.
  pgMessageCpu: measured(
    23e-6,
    "s",
    "RESULTS, what 1.1 costs: durable, PostgreSQL, in batches",
    LATER_RESULTS,
  ),
  pgCommitCpu: measured(0.67e-3, "s", "RESULTS, a lone message: a commit of its own, 0.7 ms"),
  pgCommitS: measured(3e-3, "s", "RESULTS, a lone message: p50 of a commit and its way"),
  pgMarkCpu: estimated(6e-6, "s", "a row of a cursor in a batch"),
  pgHandshakeCpu: measured(0.33e-3, "s", "RESULTS, storms: PostgreSQL a handshake"),
  pgReturnCpu: measured(0.5e-3, "s", "RESULTS, storms: PostgreSQL a client that comes back"),
  pgRefreshCpu: estimated(0.3e-3, "s", "rotate_refresh_token: three rows in one transaction"),
  pgLookCpu: estimated(60e-6, "s", "a statement of a few index look-ups that finds nothing"),
  pgNumberCpu: estimated(3e-6, "s", "one id in a statement that compares revs or seqs"),
  pgNamedCpu: estimated(0.1e-6, "s", "one id of a list in which a statement looks"),
  pgRowCpu: estimated(1e-6, "s", "one row that a statement answers"),
  pgMessageBytes: measured(
    383,
    "bytes",
    "RESULTS, the search: 272 MB of messages and 111 of index",
    LATER_RESULTS,
  ),
  looksPerS: read(
    8.5,
    "a second",
    "src/edge/auth/revocations.ts and src/edge/live/*-due.ts: looks of one worker",
  ),
  revocationRowsRead: read(
    30,
    "times",
    "src/edge/auth/revocations.ts: how often a worker reads each ended login",
  ),
  connectionsPerWorker: read(15, "connections", "src/storage/postgres: edge-ports and actor-ports"),

  // Limits that edges share.
  limitedPerS: estimated(
    0.11,
    "a second",
    "limited events of one user: handshakes, watches, status",
  ),
  reportingEdges: read(
    17,
    "edges",
    "src/edge/limits/usage-sharing.ts: from here on use is reported",
  ),
  toldPart: measured(
    0.046,
    "part",
    "the shipped buckets, calm users, 64 to 8,000 edges",
    LATER_RESULTS,
  ),

  // Recovery.
  leaseS: read(3.5, "s", "src/relay/lease.ts: LEASE_MS"),
  usersInAsk: read(1_000, "users", "src/edge/live/status-comparison.ts: USERS_IN_ASK"),
  looksAfterDeath: read(2, "times", "src/edge/hub.ts: at once and after SECOND_LOOK_MS"),
  drainS: read(2.5, "s", "ARCHITECTURE, a deploy: reconnects of a worker are spread over it"),
  searchConversationCpu: estimated(
    0.2e-6,
    "s",
    "ARCHITECTURE, life of a search: 20 ms for 100,000",
  ),
} as const satisfies Record<string, Constant>;

export type ConstantName = keyof typeof CONSTANTS;
export type Constants = Readonly<Record<ConstantName, Constant>>;

const WEAKEST: readonly Mark[] = ["estimated", "read", "measured"];

/** The mark of a figure that was reckoned from these: that of the weakest. */
export function weakestMark(marks: Iterable<Mark>): Mark {
  const all = new Set(marks);
  return WEAKEST.find((mark) => all.has(mark)) ?? "read";
}
