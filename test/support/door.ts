/**
 * A front door in a process of its own, with real workers that have nothing of Troupe inside
 * (fixtures/door-worker.mjs): how connections travel, apart from what they are for.
 */
import { type ChildProcess, fork } from "node:child_process";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { eventually, within } from "./eventually.ts";

const HOST = fileURLToPath(new URL("./fixtures/door-host.mjs", import.meta.url));
const ANSWER_MS = 20_000;

export interface DoorOptions {
  env?: Record<string, string>;
  limits?: { head?: Record<string, number>; supervisor?: Record<string, unknown> };
}

export interface DoorWorkerFacts {
  incarnation: string;
  slot: string;
  pid: number;
  phase: string;
}

interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

export class Door {
  port = 0;
  readonly exited: Promise<number | null>;
  log = "";
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;

  private constructor(options: DoorOptions) {
    const { env = {}, limits = {} } = options;
    this.#child = fork(HOST, [JSON.stringify({ env, limits })], {
      env: { ...process.env, ...env, NODE_OPTIONS: "" },
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.log += chunk;
    });
    this.exited = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.on("message", (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
  }

  static async opens(options: DoorOptions = {}): Promise<Door> {
    const door = new Door(options);
    try {
      door.port = (await door.#answer(0)) as number;
    } catch (error) {
      await door.ends();
      throw error;
    }
    return door;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  held(): Promise<number> {
    return this.#ask("held") as Promise<number>;
  }

  /** What a metric of the primary says, all its labels added up, or one series of it. */
  async metric(series: string): Promise<number> {
    const text = (await this.#ask("metrics")) as string;
    const lines = text
      .split("\n")
      .filter((line) => line.startsWith(`${series} `) || line.startsWith(`${series}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  workers(): Promise<DoorWorkerFacts[]> {
    return this.#ask("workers") as Promise<DoorWorkerFacts[]>;
  }

  rolls(): Promise<unknown> {
    return this.#ask("roll");
  }

  stops(): Promise<unknown> {
    return this.#ask("stop");
  }

  async onlineWorkers(count: number): Promise<DoorWorkerFacts[]> {
    return eventually(`${count} workers are online`, async () => {
      const online = (await this.workers()).filter((worker) => worker.phase === "online");
      return online.length === count ? online : undefined;
    });
  }

  async ends(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    try {
      await within("the host ends", this.exited, 5000);
    } finally {
      this.#child.kill("SIGKILL");
      this.#child.stderr?.destroy();
    }
  }

  #ask(order: string): Promise<unknown> {
    this.#asked++;
    this.#child.send({ id: this.#asked, order });
    return this.#answer(this.#asked);
  }

  #answer(id: number): Promise<unknown> {
    const answered = new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ value, error }) => {
        this.#waiting.delete(id);
        if (error === undefined) resolve(value);
        else reject(new Error(error));
      });
    });
    const gone = this.exited.then(() => {
      throw new Error(`the host has gone:\n${this.log}`);
    });
    return within("the host answers", Promise.race([answered, gone]), ANSWER_MS);
  }
}

/** One TCP connection; `received` grows until the server closes. */
export class Wire {
  readonly socket: Socket;
  readonly closed: Promise<string>;
  received = "";

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.received += chunk.toString("latin1");
    });
    // A reset is a way to be closed; "close" follows.
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => socket.once("close", () => resolve(this.received)));
  }

  static async to(door: { port: number }, allowHalfOpen = false, from?: string): Promise<Wire> {
    const socket = connect({
      port: door.port,
      host: "127.0.0.1",
      noDelay: true,
      allowHalfOpen,
      ...(from !== undefined && { localAddress: from }),
    });
    const wire = new Wire(socket);
    // A connection may be cut before its client has seen that it stood.
    const stood = new Promise<void>((resolve) => socket.once("connect", resolve));
    await within("connected, or cut", Promise.race([stood, wire.closed]));
    return wire;
  }

  async says(...pieces: string[]): Promise<void> {
    for (const piece of pieces) {
      // Written out before the next: two reads at the other end, microseconds apart.
      await new Promise<void>((resolve) => this.socket.write(piece, () => resolve()));
    }
  }

  /** Resolves once `count` answers with a JSON body have come. */
  answers(count: number): Promise<string> {
    return eventually(`${count} answers`, () => {
      const { received } = this;
      const isWhole = received.split("HTTP/1.1 ").length > count && received.endsWith("}");
      return isWhole ? received : undefined;
    });
  }
}
