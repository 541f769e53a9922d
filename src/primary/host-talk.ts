/**
 * Questions between the primaries of hosts, over the relay, with a deadline. They travel
 * as control frames on the host's own channel, like the frames of its workers.
 *
 * [HTK1] Every question settles: with the answer, or with null at its deadline.
 * [HTK2] A host that does not know a question stays silent, so versions may differ.
 */
import { FRAME, type Frame, frame } from "../runtime/frames.ts";
import { hostOfIncarnation } from "../runtime/view.ts";

/** The most open questions; operators never have more. */
const ASKS_MAX = 1_000;

export interface HostTalkOptions {
  self: string;
  /** To another host; false when it cannot be reached. */
  send(to: string, said: Frame): boolean;
  /** Answers another host's question; null for no answer. */
  answer(name: string, body: string): Promise<string> | null;
  onFault(fault: unknown): void;
}

const QUESTION = "host_asks";
const ANSWER = "host_answers";

export class HostTalk {
  readonly #options: HostTalkOptions;
  readonly #asks = new Map<number, (body: string | null) => void>();
  #corr = 0;

  constructor(options: HostTalkOptions) {
    this.#options = options;
  }

  /** Resolves with that host's answer; null when none came in time. */
  ask(host: string, name: string, body: string, deadlineMs: number): Promise<string | null> {
    if (this.#asks.size >= ASKS_MAX) return Promise.resolve(null);
    this.#corr = (this.#corr % 0x7fffffff) + 1;
    const corr = this.#corr;
    return new Promise((resolve) => {
      const settle = (answer: string | null) => {
        clearTimeout(timer);
        this.#asks.delete(corr);
        resolve(answer);
      };
      const timer = setTimeout(() => settle(null), deadlineMs);
      this.#asks.set(corr, settle);
      if (!this.#say(host, QUESTION, corr, name, body)) settle(null);
    });
  }

  /** Handles a control frame that another host's primary sent. */
  heard(said: Frame): void {
    if (said.name === ANSWER) {
      this.#asks.get(said.corr)?.(said.body);
      return;
    }
    if (said.name !== QUESTION) return;
    this.#options
      .answer(said.key, said.body)
      ?.then(
        (body) => void this.#say(hostOfIncarnation(said.from), ANSWER, said.corr, said.key, body),
      )
      .catch((fault: unknown) => this.#options.onFault(fault));
  }

  close(): void {
    for (const settle of [...this.#asks.values()]) settle(null);
  }

  #say(host: string, name: string, corr: number, key: string, body: string): boolean {
    const { self, send } = this.#options;
    const to = addressOf(host);
    return send(to, frame(FRAME.control, { to, from: addressOf(self), name, corr, key, body }));
  }
}

/** As if the primary were a life of its host: the relay finds the host by it. */
function addressOf(host: string): string {
  return `${host}.primary`;
}
