/**
 * The word rules for the texts of streams, on an actor's thread: they are read when a stream is
 * stored, at most twice a second, so that a thread without streams reads and keeps none.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { ModerationStore } from "../../ports/moderation.ts";
import type { Message } from "../../protocol/schemas.ts";
import { BEFORE_ALL, type Monotonic, msBetween } from "../../protocol/time.ts";
import { type Verdict, WordRules } from "./word-rules.ts";

/** Other rules are in force within 2 s: this, and the time between two checkpoints. */
const LOOK_EVERY_MS = 500;

export interface RulesStore extends Pick<ModerationStore, "wordRules" | "addReport"> {
  rulesRev(): Promise<number>;
}

export class StreamedTexts {
  readonly #store: RulesStore;
  readonly #clock: Clock;
  readonly #rules: WordRules;
  #lookedAt: Monotonic = BEFORE_ALL;
  #looking: Promise<void> | null = null;

  constructor(store: RulesStore, clock: Clock, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#rules = new WordRules(store, log);
  }

  /** Rejects where the rules cannot be read now. */
  async judge(text: string): Promise<Verdict> {
    const now = this.#clock.monotonicMs();
    if (msBetween(this.#lookedAt, now) >= LOOK_EVERY_MS) {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = null;
      });
      await this.#looking;
    }
    return this.#rules.judge(text);
  }

  reportMessage(ruleIds: readonly string[], message: Message): void {
    this.#rules.reportMessage(ruleIds, message);
  }

  async #look(): Promise<void> {
    await this.#rules.follow(await this.#store.rulesRev());
    this.#lookedAt = this.#clock.monotonicMs();
  }
}
