/** Another people's client, python-socketio, in a process of its own; what it tells is recorded. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ErrorObject } from "../../src/protocol/errors.ts";
import { within } from "./eventually.ts";

const PROGRAM = fileURLToPath(new URL("fixtures/python-client.py", import.meta.url));
const DEADLINE_MS = 15_000;

interface Told {
  kind: "connection" | "event" | "ack" | "failed";
  name: string;
  payload: unknown;
}

export interface PythonAck {
  ok: boolean;
  error?: ErrorObject;
  message?: { id: string; seq: number; body: string };
  duplicate?: boolean;
}

export class PythonClient {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #told: Told[] = [];
  readonly #ended: Promise<number | null>;
  #wake: () => void = () => undefined;
  #stderr = "";

  constructor(python: string, url: string, token: string, transport: "websocket" | "polling") {
    this.#child = spawn(python, [PROGRAM, url, token, transport], { stdio: "pipe" });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#told.push(JSON.parse(line) as Told);
      this.#wake();
    });
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr += chunk;
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", (code) => {
        resolve(code);
        this.#wake();
      });
    });
  }

  /** The next of that name, taken once; what came before it and was not asked for is left. */
  async hears<T>(kind: Told["kind"], name: string): Promise<T> {
    const found = async (): Promise<Told> => {
      for (;;) {
        const at = this.#told.findIndex((one) => one.kind === kind && one.name === name);
        if (at >= 0) return this.#told.splice(at, 1)[0]!;
        if (this.#child.exitCode !== null) {
          throw new Error(`it ended before ${kind} ${name}: ${this.#stderr}`);
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    };
    const what = `python hears ${kind} ${name}`;
    const { payload } = await within(what, found(), DEADLINE_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}; it told ${JSON.stringify(this.#told)} ${this.#stderr}`);
    });
    return payload as T;
  }

  async asks(event: string, payload: object): Promise<PythonAck> {
    this.#child.stdin.write(`${JSON.stringify({ event, payload })}\n`);
    return this.hears("ack", event);
  }

  /** Resolves with its exit code. */
  async leaves(): Promise<number | null> {
    this.#child.stdin.end();
    try {
      return await within("python leaves", this.#ended, DEADLINE_MS);
    } finally {
      this.#child.kill("SIGKILL");
    }
  }
}
