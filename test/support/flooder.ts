/** The abusive client of fixtures/flooder.mjs, as a test sees it. */
import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ErrorObject } from "../../src/protocol/errors.ts";
import type { ServerPayload } from "../../src/protocol/events.ts";
import type { Troupe } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import type { Person } from "./person.ts";

const PATH = fileURLToPath(new URL("fixtures/flooder.mjs", import.meta.url));

/** One connection of it, when it was over. */
export interface Attack {
  /** Whether a session began. */
  ready: boolean;
  /** Why the handshake was refused. */
  refused: ErrorObject | null;
  ended: ServerPayload<"session_ended"> | null;
  /** `rate_limited` answers heard. */
  limited: number;
  sent: number;
  /** From the session's beginning to the end of the connection. */
  ms: number;
}

export class Flooder {
  readonly attacks: Attack[] = [];
  /** Sessions that began. */
  floods = 0;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  constructor(
    troupe: Troupe,
    person: Person,
    conversationId: string,
    how: { perS: number; again: boolean },
  ) {
    const mode = how.again ? "again" : "once";
    this.#child = fork(PATH, [troupe.url, person.token, conversationId, String(how.perS), mode], {
      silent: true,
    });
    this.#exited = new Promise((resolve) => this.#child.once("exit", () => resolve()));
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const said = JSON.parse(line) as { event: "floods" } | ({ event: "closed" } & Attack);
      if (said.event === "floods") this.floods++;
      else this.attacks.push(said);
    });
  }

  untilItFloods(): Promise<unknown> {
    return eventually("the flood has begun", () => this.floods > 0, 10_000);
  }

  async untilClosed(deadlineMs: number): Promise<Attack> {
    await eventually(
      "the flooding connection is closed",
      () => this.attacks.length > 0,
      deadlineMs,
    );
    return this.attacks[0]!;
  }

  async stops(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
