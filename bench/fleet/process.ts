/**
 * A process of the fleet: forked by fleet.ts, it holds some of the clients and does what it is
 * ordered. Ends when the bench does.
 */
import { Histogram } from "../support/histogram.ts";
import { type ClientSpec, LeanClient, type LeanEvents } from "./lean-client.ts";
import {
  type AskJob,
  type Counts,
  type EmitJob,
  type Message,
  nowUs,
  type Order,
  type Report,
} from "./orders.ts";

const TICK_MS = 250;
const PACE_MS = 4;
const REASONS_MAX = 5;
/** Past the end of sending, for answers still owed. */
const DRAIN_MS = 20_000;
/** In which nothing was done; tens of thousands of handshakes take minutes. */
const STUCK_MS = 30_000;
const OPEN_MAX_MS = 600_000;
const RETRY_MS = 250;
const TRIES_MAX = 4;
const HANDSHAKE_MS = 10_000;
const SWEEP_MS = 500;
/** Below the 511 that a listening Node lets wait: a dropped SYN comes again only after 1 s. */
const REACHING_MAX = 200;
const CODE_M = "m".charCodeAt(0);
const STAMP = Buffer.from('"client_id":"');
const BODY = "See you at eight, and bring the blue umbrella along.";

let clients: LeanClient[] = [];
const heardByCode = new Float64Array(256);
let heard = 0;
let acked = 0;
let lost = 0;
let lastHeardMs = 0;
let offsetUs = 0;
/** Set while received messages are timed. */
let receipts: Histogram | null = null;
let onReady: (client: LeanClient) => void = () => undefined;
let onClosed: (client: LeanClient, why: string) => void = () => undefined;
let onReached: (client: LeanClient) => void = () => undefined;

const events: LeanEvents = {
  reached: (client) => onReached(client),
  ready: (client) => onReady(client),
  event(_client, code, bytes, from, to) {
    heardByCode[code] = heardByCode[code]! + 1;
    heard++;
    lastHeardMs = performance.now();
    if (receipts !== null && code === CODE_M) timeReceipt(receipts, bytes, from, to);
  },
  closed(client, why) {
    lost++;
    onClosed(client, why);
  },
};

function timeReceipt(into: Histogram, bytes: Buffer, from: number, to: number): void {
  let at = bytes.indexOf(STAMP, from);
  if (at < 0 || at >= to) return;
  let sentUs = 0;
  for (at += STAMP.length; bytes[at]! >= 0x30 && bytes[at]! <= 0x39; at++) {
    sentUs = sentUs * 10 + bytes[at]! - 0x30;
  }
  into.add(nowUs() - sentUs);
}

/** Counts up one order. */
class Tally {
  readonly latencies = new Histogram();
  readonly #startedUs = nowUs();
  #endedUs = this.#startedUs;
  #reasons: string[] = [];
  done = 0;
  failed = 0;

  finish(sinceUs: number): void {
    this.#endedUs = nowUs();
    this.latencies.add(this.#endedUs - sinceUs);
    this.done++;
  }

  /** Since the last one was done, or since the start. */
  get idleMs(): number {
    return (nowUs() - this.#endedUs) / 1000;
  }

  get agedMs(): number {
    return (nowUs() - this.#startedUs) / 1000;
  }

  fail(reason: string): void {
    this.failed++;
    this.note(reason);
  }

  note(reason: string): void {
    if (this.#reasons.length < REASONS_MAX) this.#reasons.push(reason);
  }

  report(): Report {
    return {
      done: this.done,
      failed: this.failed,
      reasons: this.#reasons,
      startedUs: this.#startedUs,
      endedUs: this.#endedUs,
      latencies: this.latencies.dump(),
      receipts: receipts?.dump() ?? [],
    };
  }
}

/** Who is refused or hears nothing tries again, a few times: `failed` counts the tries. */
function open(specs: ClientSpec[], inFlightMax: number): Promise<Report> {
  clients = specs.map((spec, index) => new LeanClient(index, spec, events));
  const tally = new Tally();
  const begunUs = new Map<LeanClient, number>();
  const queue = clients.map((client) => ({ client, tries: 0 })).reverse();
  const triesOf = new Map<LeanClient, number>();
  return new Promise((resolve) => {
    const settle = () => {
      clearInterval(sweep);
      onReady = () => undefined;
      onClosed = () => undefined;
      resolve(tally.report());
    };
    const more = () => {
      while (begunUs.size < inFlightMax && queue.length > 0) {
        const { client, tries } = queue.pop()!;
        begunUs.set(client, nowUs());
        triesOf.set(client, tries + 1);
        client.open();
      }
      if (begunUs.size === 0) settle();
    };
    const sweep = setInterval(() => {
      giveUpLate(begunUs);
      if (isStuck(tally)) settle();
    }, SWEEP_MS);
    onReady = (client) => {
      tally.finish(begunUs.get(client) ?? nowUs());
      begunUs.delete(client);
      more();
    };
    onClosed = (client, why) => {
      tally.fail(why);
      begunUs.delete(client);
      const tries = triesOf.get(client) ?? 0;
      if (tries < TRIES_MAX) queue.unshift({ client, tries });
      more();
    };
    more();
  });
}

/** Says so in the tally. */
function isStuck(tally: Tally): boolean {
  const isLate = tally.agedMs > OPEN_MAX_MS;
  if (!isLate && tally.idleMs < STUCK_MS) return false;
  tally.note(isLate ? `not done after ${OPEN_MAX_MS} ms` : `nothing came for ${STUCK_MS} ms`);
  return true;
}

function giveUpLate(begunUs: ReadonlyMap<LeanClient, number>): void {
  const lateUs = nowUs() - HANDSHAKE_MS * 1000;
  for (const [client, sinceUs] of begunUs) {
    if (sinceUs < lateUs && client.isOnItsWay) client.giveUp("no answer to the handshake");
  }
}

function ask(jobs: AskJob[], inFlightMax: number): Promise<Report> {
  const tally = new Tally();
  let next = 0;
  let waiting = 0;
  return new Promise((resolve) => {
    const settle = () => {
      clearInterval(sweep);
      if (waiting > 0) tally.fail(`${waiting} without an answer`);
      resolve(tally.report());
    };
    const sweep = setInterval(() => {
      if (isStuck(tally)) settle();
    }, SWEEP_MS);
    const more = () => {
      while (waiting < inFlightMax && next < jobs.length) {
        const { client, event, payload } = jobs[next++]!;
        const sinceUs = nowUs();
        waiting++;
        clients[client]!.emit(event, payload, (isOk, bytes, from, to) => {
          waiting--;
          if (isOk) tally.finish(sinceUs);
          else tally.fail(bytes.toString("utf8", from, Math.min(to, from + 200)));
          more();
        });
      }
      if (waiting === 0) settle();
    };
    more();
  });
}

function emit(order: Extract<Order, { order: "emit" }>): Promise<Report> {
  const { jobs, window, perSecond, seconds, timesReceipt } = order;
  receipts = timesReceipt ? new Histogram() : null;
  const tally = new Tally();
  const keys = jobs.map(({ kind, client, conversation }) => `${kind} ${client} ${conversation}`);
  const turns = keys.map((key) => turnOf.get(key) ?? 0);
  let isOver = false;
  let waiting = 0;
  let settle: () => void = () => undefined;

  const emitOne = (at: number) => {
    const job = jobs[at]!;
    const client = clients[job.client]!;
    const sinceUs = nowUs();
    const turn = turns[at]!;
    turns[at] = turn + 1;
    waiting++;
    client.emit(EVENT[job.kind], payloadOf(job, turn, sinceUs), (isOk, bytes, from, to) => {
      waiting--;
      acked++;
      if (isOk) tally.finish(sinceUs);
      else tally.fail(bytes.toString("utf8", from, Math.min(to, from + 200)));
      if (!isOver && perSecond === null && client.isReady) {
        corkForTurn(client);
        emitOne(at);
      }
      if (isOver && waiting === 0) settle();
    });
  };

  return new Promise((resolve) => {
    let pace: NodeJS.Timeout | undefined;
    if (perSecond === null) {
      for (let at = 0; at < jobs.length; at++) {
        for (let i = 0; i < window; i++) emitOne(at);
      }
    } else {
      const beganMs = performance.now();
      let sent = 0;
      pace = setInterval(() => {
        const due = Math.floor(((performance.now() - beganMs) * perSecond) / 1000);
        // Behind by more than a window each, the server is what waits: sending on would only
        // measure the queue.
        for (; sent < due && waiting < window * jobs.length; sent++) emitOne(sent % jobs.length);
        sent = Math.max(sent, due);
      }, PACE_MS);
    }
    let deadline: NodeJS.Timeout | undefined;
    settle = () => {
      clearTimeout(deadline);
      for (const [at, key] of keys.entries()) turnOf.set(key, turns[at]!);
      if (waiting > 0) tally.fail(`${waiting} without an answer`);
      resolve(tally.report());
    };
    setTimeout(() => {
      isOver = true;
      clearInterval(pace);
      deadline = setTimeout(settle, DRAIN_MS);
      if (waiting === 0) settle();
    }, seconds * 1000);
  });
}

/** Where each job's turns are: what it says next is news, also after a warm-up. */
const turnOf = new Map<string, number>();

const EVENT = { send: "send_message", typing: "typing", status: "set_status" } as const;

function payloadOf({ kind, conversation }: EmitJob, turn: number, sinceUs: number): string {
  switch (kind) {
    case "send":
      return `{"conversation_id":"${conversation}","client_id":"${sinceUs}_${process.pid}_${turn}","body":"${BODY}"}`;
    case "typing":
      return `{"conversation_id":"${conversation}","is_typing":${turn % 2 === 0}}`;
    case "status":
      return `{"status":"${turn % 2 === 0 ? "away" : "online"}"}`;
  }
}

const corked = new Set<LeanClient>();

/** Writes caused by the answers in one read leave as one write. */
function corkForTurn(client: LeanClient): void {
  if (corked.has(client)) return;
  if (corked.size === 0) {
    setImmediate(() => {
      for (const one of corked) one.uncork();
      corked.clear();
    });
  }
  corked.add(client);
  client.cork();
}

/** `failed` counts the tries that were refused or cut; who has synced is in `done`. */
function storm(syncs: string[]): Promise<Report> {
  onClosed = () => undefined;
  for (const client of clients) client.drop();
  const tally = new Tally();
  const startedUs = nowUs();
  const queue = [...clients];
  const reaching = new Set<LeanClient>();
  const begunUs = new Map<LeanClient, number>();
  return new Promise((resolve) => {
    const settle = () => {
      clearInterval(sweep);
      onReady = () => undefined;
      onReached = () => undefined;
      onClosed = () => undefined;
      resolve(tally.report());
    };
    const sweep = setInterval(() => {
      giveUpLate(begunUs);
      if (isStuck(tally)) settle();
    }, SWEEP_MS);
    const more = () => {
      while (reaching.size < REACHING_MAX && queue.length > 0) {
        const client = queue.pop()!;
        reaching.add(client);
        begunUs.set(client, nowUs());
        client.open();
      }
    };
    onReached = (client) => {
      reaching.delete(client);
      more();
    };
    onReady = (client) => {
      client.emit("sync", syncs[client.index]!, (isOk, bytes, from, to) => {
        if (isOk) tally.finish(startedUs);
        else tally.fail(bytes.toString("utf8", from, Math.min(to, from + 200)));
        if (tally.done === clients.length) settle();
      });
    };
    onClosed = (client, why) => {
      // Refused or cut while it came back: as a client does, it tries again.
      tally.fail(why);
      reaching.delete(client);
      setTimeout(() => {
        queue.push(client);
        more();
      }, RETRY_MS);
    };
    more();
  });
}

function counts(): Counts {
  const heardByLetter: Record<string, number> = {};
  heardByCode.forEach((count, code) => {
    if (count > 0) heardByLetter[String.fromCharCode(code)] = count;
  });
  return {
    ready: clients.reduce((sum, client) => sum + (client.isReady ? 1 : 0), 0),
    lost,
    acked,
    heard,
    heardByLetter,
    lastHeardUs: Math.round(lastHeardMs * 1000 + offsetUs),
  };
}

async function obey(order: Order): Promise<Message> {
  switch (order.order) {
    case "open":
      return reported(await open(order.clients, order.inFlightMax));
    case "ask":
      return reported(await ask(order.jobs, order.inFlightMax));
    case "emit":
      return reported(await emit(order));
    case "storm":
      return reported(await storm(order.syncs));
    case "counts":
      return { type: "counts", counts: counts() };
    case "close":
      for (const client of clients) client.close();
      clients = [];
      return reported(new Tally().report());
  }
}

function reported(report: Report): Message {
  return { type: "report", report };
}

function say(message: Message): void {
  process.send?.(message);
}

offsetUs = nowUs() - performance.now() * 1000;
process.on("message", (order: Order) => void obey(order).then(say));
process.on("disconnect", () => process.exit(0));
// Ctrl-C, and a timeout, reach the whole group; the bench says when it is over.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
setInterval(() => say({ type: "tick", counts: counts() }), TICK_MS);
