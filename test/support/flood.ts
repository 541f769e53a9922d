/**
 * Floods, and what honest people feel of them: their acks and reads, timed in windows, calm and
 * under attack in the same run; and what the processes weigh.
 */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Troupe } from "./cluster.ts";
import { eventually, within } from "./eventually.ts";
import type { Person } from "./person.ts";
import type { Session } from "./session.ts";

const FLOOD = fileURLToPath(new URL("./fixtures/flood.mjs", import.meta.url));

export type FloodKind =
  | "half-open"
  | "slow-header"
  | "oversize-header"
  | "slow-body"
  | "connection-flood"
  | "tls-half-hello"
  | "tls-half-open"
  | "tls-silent"
  | "tls-slow-header"
  | "tls-connection-flood";

export interface FloodOptions {
  port: number;
  /** A loopback address of the attackers' own. */
  from: string;
  kind: FloodKind;
  /** Connections that they keep open. */
  count: number;
  /** New ones a second, for those that the server has closed. */
  perS: number;
}

export interface FloodFacts {
  opened: number;
  closed: number;
  open: number;
  /** Answers by status. */
  answers: Record<string, number>;
}

/** Whether latencies are judged closely, which wants a quiet machine. */
export const IS_JUDGED = process.env["FLOODS"] === "1";
/** The flooder gives way to everybody else. */
const BEGINS_WITHIN_MS = IS_JUDGED ? 10_000 : 40_000;

export class Flood {
  facts: FloodFacts = { opened: 0, closed: 0, open: 0, answers: {} };
  readonly #child: ChildProcess;

  private constructor(options: FloodOptions) {
    this.#child = fork(FLOOD, [JSON.stringify(options)], {
      env: { ...process.env, NODE_OPTIONS: "" },
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child.on("message", (facts: FloodFacts) => {
      this.facts = facts;
    });
  }

  /** Resolves when all of the first `count` connections have been tried. */
  static async begins(options: FloodOptions): Promise<Flood> {
    const flood = new Flood(options);
    await eventually(
      `${options.count} connections of the flood`,
      () => flood.facts.opened >= options.count,
      BEGINS_WITHIN_MS,
    );
    return flood;
  }

  async ends(): Promise<void> {
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    if (this.#child.connected) this.#child.disconnect();
    await within("the flood's process ends", gone);
  }
}

const PAIRS = 4;
/** Each person sends one message and makes two reads in this time. */
const PERIOD_MS = 200;
const WINDOW_MS = IS_JUDGED ? 3_000 : 800;
const WINDOWS = 3;

export interface Felt {
  /** Medians over the windows of each window's 99th percentile. */
  ackMs: number;
  readMs: number;
  samples: number;
}

/** People who talk and read at a steady pace, over their own kept connections. */
export class HonestPeople {
  readonly #pairs: { person: Person; session: Session; talk: string }[] = [];
  readonly #agent: http.Agent;
  readonly #troupe: Troupe;

  private constructor(troupe: Troupe) {
    this.#troupe = troupe;
    const options = { keepAlive: true, localAddress: HONEST };
    this.#agent =
      troupe.ca === undefined
        ? new http.Agent(options)
        : new https.Agent({ ...options, ca: troupe.ca });
  }

  static async gather(troupe: Troupe): Promise<HonestPeople> {
    const people = new HonestPeople(troupe);
    for (let i = 0; i < PAIRS; i++) {
      const [one, other] = await troupe.users(`one${i}`, `other${i}`);
      const talk = await one!.startsDirect(other!);
      for (const person of [one!, other!]) {
        const session = await person.connects({ from: HONEST });
        people.#pairs.push({ person, session, talk: talk.id });
      }
    }
    await people.feels();
    return people;
  }

  /** Times what they do, for `WINDOWS` windows. */
  async feels(): Promise<Felt> {
    const acks: number[] = [];
    const reads: number[] = [];
    let samples = 0;
    for (let i = 0; i < WINDOWS; i++) {
      const window: Window = { acks: [], reads: [] };
      await Promise.all(this.#pairs.map((pair, n) => this.#incarnations(pair, n, window)));
      acks.push(percentile99(window.acks));
      reads.push(percentile99(window.reads));
      samples += window.acks.length + window.reads.length;
    }
    return { ackMs: median(acks), readMs: median(reads), samples };
  }

  leave(): void {
    this.#agent.destroy();
  }

  async #incarnations(
    { person, session, talk }: { person: Person; session: Session; talk: string },
    n: number,
    window: Window,
  ): Promise<void> {
    const endMs = performance.now() + WINDOW_MS;
    // Not all in the same moment: that would measure each other.
    await delay((n * PERIOD_MS) / this.#pairs.length);
    while (performance.now() < endMs) {
      const nextMs = performance.now() + PERIOD_MS;
      await timed(window.acks, () => session.sends(talk, "hello"));
      for (const path of [`/api/conversations/${talk}/messages?limit=20`, "/api/me"]) {
        const answer = await timed(window.reads, () =>
          person.api.get(path, { agent: this.#agent }),
        );
        if (answer.status !== 200) throw new Error(`${path}: ${answer.text}`);
      }
      await delay(Math.max(0, nextMs - performance.now()));
    }
  }

  /** Resident memory of each process, in MB, the primary first. */
  weights(): number[] {
    const { primary, workers } = this.#troupe.pids();
    return [primary, ...workers].map((pid) => {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024;
    });
  }
}

/** Where honest people connect from: not this machine's own address, which has no limits. */
export const HONEST = "127.0.0.3";

interface Window {
  acks: number[];
  reads: number[];
}

async function timed<T>(into: number[], act: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const value = await act();
  into.push(performance.now() - startedMs);
  return value;
}

function percentile99(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))]!;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
