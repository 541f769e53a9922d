/**
 * The answers for operators: counts of the cluster's hosts, workers and threads, one user's
 * sessions, the place of one message. Counters only grow within one incarnation of a worker, so two
 * answers give rates. No answer lists all sessions or actors.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { Count, Cursor, Id, Message, Nullable, PresenceStatus, Time, User } from "./schemas.ts";

/** Upper bounds of the latency buckets, milliseconds; one more bucket is above the last. */
export const LATENCY_BOUNDS_MS = [
  0.5, 1, 2, 3, 5, 7.5, 10, 15, 25, 50, 100, 250, 500, 1000, 2500, 5000,
];
/** Upper bounds of the buckets of rows in one commit. */
export const ROWS_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

const Ms = Type.Number({ minimum: 0, description: "Milliseconds." });
const Bytes = Type.Integer({ minimum: 0 });

export const Buckets = Type.Object(
  {
    count: Count,
    sum: Type.Number(),
    counts: Type.Array(Count, { description: "One for each bound, and one above the last." }),
  },
  { description: "A histogram since the worker began; `bounds` of the summary are its bounds." },
);

/** One kind of the application's actors, in one worker. */
export const AppKindVitals = Type.Object({
  kind: Type.String(),
  version: Type.Integer(),
  actors: Type.Integer({ minimum: 0, description: "Active ones." }),
  turns: Count,
  failures: Type.Integer({ minimum: 0, description: "Turns that threw, or took too long." }),
  turn_ms: Buckets,
  unavailable: Type.Array(Type.String(), {
    description: "Its actions that have hung too often and are out for a minute, like `poll.vote`.",
  }),
});

export const WorkerVitals = Type.Object({
  sessions: Count,
  /** Events of clients, refusals among them, and HTTP requests. */
  events: Count,
  refusals: Count,
  http_requests: Count,
  deliveries: Type.Integer({ minimum: 0, description: "Events written to sockets." }),
  sends: Type.Integer({ minimum: 0, description: "Messages committed by actors here." }),
  actors: Type.Record(Type.String(), Count, { description: "Active actors by kind." }),
  mailbox: Type.Object({ waiting: Count, deepest: Count }),
  edge_lag_ms: Ms,
  thread_lag_ms: Ms,
  rss_bytes: Bytes,
  cpu_ms: Ms,
  send_commit: Buckets,
  commit_delivery: Buckets,
  commit_rows: Buckets,
  commit_ms: Buckets,
  /** Left out where the application has no kinds of actors. */
  application: Type.Optional(Type.Array(AppKindVitals)),
});

export const WorkerPhase = Type.Union([
  Type.Literal("starting"),
  Type.Literal("online"),
  Type.Literal("draining"),
]);

export const OpsWorker = Type.Object({
  incarnation: Type.String({ description: "This run of it." }),
  slot: Type.String({ description: "Its place, the same after a restart." }),
  pid: Nullable(Type.Integer()),
  phase: WorkerPhase,
  uptime_ms: Ms,
  /** Null: it starts, or did not answer in time. */
  vitals: Nullable(WorkerVitals),
});

export const Fault = Type.Object({
  at: Time,
  /** The first of `count` alike that came in a row. */
  since: Time,
  count: Count,
  level: Type.Union([Type.Literal("info"), Type.Literal("warn"), Type.Literal("error")]),
  event: Type.String({ description: "As in the log." }),
  worker: Nullable(Type.String()),
  detail: Nullable(Type.String()),
});

export const OpsRelay = Type.Object({
  state: Type.Union([Type.Literal("connected"), Type.Literal("away")]),
  ping_ms: Nullable(Ms),
  messages_in: Count,
  messages_out: Count,
  gaps: Count,
});

export const HostVitals = Type.Object({
  name: Type.String({ description: "The machine's name." }),
  version: Type.String(),
  pid: Type.Integer(),
  uptime_ms: Ms,
  draining: Type.Boolean(),
  degraded: Type.Array(Type.String(), {
    description: "Why it serves only in part: Redis is away, or nothing can be committed.",
  }),
  lag_ms: Ms,
  rss_bytes: Bytes,
  cpu_ms: Ms,
  front_door_sockets: Count,
  topics: Count,
  pipe_queue_bytes: Bytes,
  relay: Nullable(OpsRelay),
  faults: Type.Array(Fault, { description: "Newest first." }),
});

export const OpsHost = Type.Object({
  host: Type.String(),
  /** Null: it did not answer in time. */
  vitals: Nullable(HostVitals),
  workers: Type.Array(OpsWorker),
});

export const OpsJobs = Type.Object({
  waiting: Count,
  running: Count,
  failed: Type.Integer({ minimum: 0, description: "Within the last 7 days." }),
  oldest_ms: Type.Integer({ minimum: 0, description: "How long the oldest that is due waits." }),
});

export const OpsDatabase = Type.Object({
  version: Type.String(),
  ping_ms: Ms,
  connections: Count,
  connections_max: Count,
  commits: Type.Integer({ minimum: 0, description: "Transactions committed, since its start." }),
  rollbacks: Count,
  deadlocks: Count,
  cache_hit_ratio: Nullable(Type.Number({ minimum: 0, maximum: 1 })),
  oldest_transaction_ms: Ms,
  /** Estimates, as the planner has them. */
  messages: Count,
  users: Count,
  jobs: OpsJobs,
});

/** As `/readyz` answers of one host, here of all. */
export const ServiceStatus = Type.Union([
  Type.Literal("ready"),
  Type.Literal("degraded"),
  Type.Literal("unavailable"),
]);

export const OpsSummary = Type.Object({
  /** When the counts were gathered: an answer may be a second old, and is then the same again. */
  at: Time,
  answered_by: Type.String({ description: "The host that was asked." }),
  view: Count,
  status: ServiceStatus,
  /** The reasons for the status, in words, from all hosts. */
  reasons: Type.Array(Type.String()),
  bounds: Type.Object({
    latency_ms: Type.Array(Type.Number()),
    commit_rows: Type.Array(Type.Number()),
  }),
  hosts: Type.Array(OpsHost),
  /** Null: it does not answer. */
  database: Nullable(OpsDatabase),
});

export const OpsSession = Type.Object({
  session_id: Type.String(),
  host: Type.String(),
  worker: Type.String(),
  transport: Type.String(),
  status: Type.Union([Type.Literal("online"), Type.Literal("away"), Type.Literal("invisible")]),
  since: Time,
  unread_bytes: Type.Integer({ minimum: 0, description: "Written, and not taken by its reader." }),
});

export const OpsActor = Type.Object({
  host: Nullable(Type.String()),
  worker: Nullable(Type.String()),
  is_active: Type.Boolean(),
});

export const OpsUser = Type.Object({
  user: User,
  suspended: Type.Boolean(),
  last_seen_at: Nullable(Time),
  conversations: Count,
  logins: Type.Integer({ minimum: 0, description: "Logins that have not ended." }),
  presence: PresenceStatus,
  actor: OpsActor,
  sessions: Type.Array(OpsSession, { description: "At most 100." }),
  session_count: Count,
  silent: Type.Array(Type.String(), { description: "Hosts and workers that did not answer." }),
});

export const OpsEnded = Type.Object({
  user_id: Id,
  ended: Type.Integer({ minimum: 0, description: "Sessions that were ended." }),
  silent: Type.Array(Type.String(), { description: "Hosts and workers that did not answer." }),
});

/** A message as operators see it: its sender and place, without its body. */
const { body: _body, ...messageFacts } = Message.properties;

export const OpsReceipt = Type.Object({
  user_id: Id,
  username: Type.String(),
  is_sender: Type.Boolean(),
  delivered_seq: Cursor,
  read_seq: Cursor,
  state: Type.Union([Type.Literal("committed"), Type.Literal("delivered"), Type.Literal("read")]),
});

export const OpsMessage = Type.Object({
  message: Type.Object({ ...messageFacts, body_length: Count }),
  conversation: Type.Object({
    id: Id,
    kind: Type.String(),
    title: Nullable(Type.String()),
    last_seq: Cursor,
    rev: Count,
  }),
  actor: OpsActor,
  member_count: Count,
  delivered_count: Count,
  read_count: Count,
  members: Type.Array(OpsReceipt, { description: "At most 200, those who lag first." }),
});

export type Buckets = Static<typeof Buckets>;
export type AppKindVitals = Static<typeof AppKindVitals>;
export type WorkerVitals = Static<typeof WorkerVitals>;
export type OpsWorker = Static<typeof OpsWorker>;
export type Fault = Static<typeof Fault>;
export type OpsRelay = Static<typeof OpsRelay>;
export type HostVitals = Static<typeof HostVitals>;
export type OpsHost = Static<typeof OpsHost>;
export type OpsDatabase = Static<typeof OpsDatabase>;
export type OpsSummary = Static<typeof OpsSummary>;
export type OpsSession = Static<typeof OpsSession>;
export type OpsActor = Static<typeof OpsActor>;
export type OpsUser = Static<typeof OpsUser>;
export type OpsEnded = Static<typeof OpsEnded>;
export type OpsReceipt = Static<typeof OpsReceipt>;
export type OpsMessage = Static<typeof OpsMessage>;
