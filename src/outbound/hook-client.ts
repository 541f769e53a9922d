/**
 * Asks HOOK_URL before a commit. Questions of one turn of the event loop, and those that come while
 * as many requests as there may be are under way, go together. There is one attempt.
 *
 * [HOK1] A question has its answer within HOOK_TIMEOUT_MS of its request, and waits for its request
 *        no longer than that.
 * [HOK2] No answer, another status than 2xx, a missing or a malformed answer is a failure, of which
 *        HOOK_ON_FAILURE says what becomes.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { HookFailure, HookFailures } from "../base/hook-failures.ts";
import type { EventsConfig } from "../config/event-keys.ts";
import type { verdictOf } from "../protocol/hook-verdict.ts";
import {
  type AskedType,
  HOOK_BATCH_MAX,
  type HookCaller,
  type HookQuestion,
  type Hooks,
  type HookType,
  type HookVerdict,
  verdictOnFailure,
} from "../protocol/hooks.ts";
import { epochMsOf, later, type Monotonic } from "../protocol/time.ts";
import type { Post } from "./request.ts";
import { signedHeaders } from "./signature.ts";

const REQUESTS_MAX = 4;
const WAITING_MAX = 5_000;
const ANSWER_BYTES_MAX = 2 * 1024 * 1024;

interface Waiting {
  question: HookQuestion;
  /** When it is too late to ask. */
  untilMs: Monotonic;
  settle: (verdict: HookVerdict) => void;
}

export interface HookOptions {
  config: Pick<
    EventsConfig,
    "hookUrl" | "hookSecret" | "hookEvents" | "hookTimeoutMs" | "hookOnFailure"
  >;
  post: Post;
  failures: Pick<HookFailures, "note">;
  clock: Clock;
}

/** Null where no HOOK_URL is set. */
export function createHooks(options: HookOptions): Hooks | null {
  return options.config.hookUrl === null ? null : new HookClient(options, options.config.hookUrl);
}

class HookClient implements Hooks {
  readonly #options: HookOptions;
  readonly #url: string;
  readonly #types: ReadonlySet<AskedType>;
  #waiting: Waiting[] = [];
  #requests = 0;
  #isScheduled = false;

  constructor(options: HookOptions, url: string) {
    this.#options = options;
    this.#url = url;
    this.#types = new Set(options.config.hookEvents);
  }

  wants(type: AskedType): boolean {
    return this.#types.has(type);
  }

  ask(type: AskedType, { user }: HookCaller, data: object): Promise<HookVerdict> {
    const { config, clock } = this.#options;
    if (this.#waiting.length >= WAITING_MAX)
      return Promise.resolve(this.#failed("crowded", "too many wait"));
    return new Promise((settle) => {
      const id = `ask_${randomUUID()}`;
      const question = { id, type: type as HookType, actor_id: user, data };
      const untilMs = later(clock.monotonicMs(), config.hookTimeoutMs);
      this.#waiting.push({ question, untilMs, settle });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0 || this.#requests >= REQUESTS_MAX) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#waiting.length > 0 && this.#requests < REQUESTS_MAX) {
        void this.#request(this.#waiting.splice(0, HOOK_BATCH_MAX));
      }
    });
  }

  async #request(asked: readonly Waiting[]): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    const inTime = asked.filter(({ untilMs, settle }) => {
      if (untilMs > nowMs) return true;
      settle(this.#failed("late", "it had no turn in time"));
      return false;
    });
    if (inTime.length === 0) return;
    this.#requests++;
    try {
      const answers = await this.#post(inTime.map(({ question }) => question));
      // Loaded on first use: an actor thread without a hook spares 10 MB and 0.1 s of its start.
      const { verdictOf } = await import("../protocol/hook-verdict.ts");
      for (const { question, settle } of inTime) {
        settle(this.#verdictOf(question, answers.get(question.id), verdictOf));
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const failed = this.#failed("failed", why, inTime.length);
      for (const { settle } of inTime) settle(failed);
    } finally {
      this.#requests--;
      this.#schedule();
    }
  }

  async #post(events: readonly HookQuestion[]): Promise<ReadonlyMap<string, unknown>> {
    const { config, clock, post } = this.#options;
    const body = JSON.stringify({ events });
    const timestampS = Math.floor(epochMsOf(clock.wallMs()) / 1000);
    const secrets = config.hookSecret === null ? [] : [config.hookSecret];
    const answer = await post({
      url: this.#url,
      namer: "operator",
      headers: signedHeaders({ id: events[0]!.id, timestampS, body }, secrets),
      body,
      timeoutMs: config.hookTimeoutMs,
      answerBytesMax: ANSWER_BYTES_MAX,
    });
    if (answer.status < 200 || answer.status >= 300)
      throw new Error(`it answered ${answer.status}`);
    const parsed: unknown = JSON.parse(answer.body);
    const answers =
      typeof parsed === "object" && parsed !== null && "answers" in parsed ? parsed.answers : null;
    if (!Array.isArray(answers)) throw new Error("its answer has no list of answers");
    const byId = new Map<string, unknown>();
    for (const one of answers as unknown[]) {
      if (typeof one !== "object" || one === null || !("id" in one)) continue;
      if (typeof one.id === "string") byId.set(one.id, one);
    }
    return byId;
  }

  /** [HOK2] */
  #verdictOf({ type }: HookQuestion, answer: unknown, read: typeof verdictOf): HookVerdict {
    if (answer === undefined) return this.#failed("answer", "an answer is missing");
    const verdict = read(type, answer);
    return typeof verdict === "string" ? this.#failed("answer", verdict) : verdict;
  }

  #failed(kind: HookFailure, why: string, count = 1): HookVerdict {
    const { config, failures } = this.#options;
    failures.note("url", kind, why, count);
    return verdictOnFailure(config);
  }
}
