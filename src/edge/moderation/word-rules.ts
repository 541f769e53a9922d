/**
 * The word rules in force on this edge. KnownRevocations looks twice a second whether they have
 * changed, with the statement that it makes anyway.
 *
 * [WRD6] `refuse` wins over the others; else masks are applied and reports made, both.
 * [WRD7] A mask replaces each letter and digit of a match by `*`. A username cannot be masked, and is
 *        refused instead.
 * [WRD8] Where there are no rules, a text costs one comparison.
 */
import type { Log } from "../../base/log.ts";
import type { ModerationStore } from "../../ports/moderation.ts";
import { type ErrorObject, refused } from "../../protocol/errors.ts";
import type { ReportSubject, WordRule } from "../../protocol/moderation-routes.ts";
import type { Message } from "../../protocol/schemas.ts";
import { createMatcher, type Matcher, noMatcher } from "./matcher.ts";

/** The verdict of the rules on a text. */
export type Verdict =
  | { is: "refused"; error: ErrorObject }
  | { is: "allowed"; text: string; reports: readonly string[] };

export class WordRules {
  readonly #store: Pick<ModerationStore, "wordRules" | "addReport">;
  readonly #log: Log;
  #matcher: Matcher = noMatcher();
  #rev = 0;
  #reading: Promise<void> | null = null;

  constructor(store: Pick<ModerationStore, "wordRules" | "addReport">, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Whether nothing needs to be judged. */
  get isEmpty(): boolean {
    return this.#matcher.isEmpty;
  }

  /** Texts of messages, posts and comments, and names that people read. */
  judge(text: string): Verdict {
    if (this.#matcher.isEmpty) return { is: "allowed", text, reports: [] };
    const rules = this.#matcher.matching(text);
    if (rules.length === 0) return { is: "allowed", text, reports: [] };
    const refusing = rules.find(({ action }) => action === "refuse");
    if (refusing !== undefined) return { is: "refused", error: refusalBy(refusing) };
    const masks = rules.filter(({ action }) => action === "mask");
    return {
      is: "allowed",
      text: masks.length === 0 ? text : this.#masked(text, masks),
      reports: rules.filter(({ action }) => action === "report").map(({ id }) => id),
    };
  }

  /** [WRD7] */
  judgeUsername(name: string): Verdict {
    const rules = this.#matcher.matching(name);
    const refusing = rules.find(({ action }) => action !== "report");
    if (refusing !== undefined) return { is: "refused", error: refusalBy(refusing) };
    return { is: "allowed", text: name, reports: rules.map(({ id }) => id) };
  }

  /** Reports what was just written, for each of these rules once. Best effort. */
  report(
    ruleIds: readonly string[],
    subject: ReportSubject,
    authorId: string | null,
    content: object,
  ): void {
    for (const rule of ruleIds) {
      const report = { by: { rule }, subject, authorId, reason: "rule", note: null, content };
      this.#store.addReport(report, null).catch((err: unknown) => {
        this.#log.warn({ event: "rule_unreported", rule, err });
      });
    }
  }

  reportMessage(ruleIds: readonly string[], message: Message): void {
    const { conversation_id, seq, sender_id } = message;
    this.report(ruleIds, { conversation_id, seq }, sender_id, message);
  }

  /** The number of the newest rules, as storage has it. */
  async follow(rev: number): Promise<void> {
    if (rev === this.#rev) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  async #read(): Promise<void> {
    try {
      const { rev, rules } = await this.#store.wordRules();
      this.#matcher = await createMatcher(rules);
      this.#rev = rev;
    } catch (err) {
      // The next look, half a second later, asks again.
      this.#log.warn({ event: "word_rules_unread", err });
    }
  }

  #masked(text: string, masks: readonly WordRule[]): string {
    const hidden = new Set<number>();
    for (const { from, to } of this.#matcher.spansOf(text, masks)) {
      for (let at = from; at < to; at++) hidden.add(at);
    }
    let result = "";
    let at = 0;
    for (const character of text) {
      result += hidden.has(at) && MASKED.test(character) ? "*" : character;
      at += character.length;
    }
    return result;
  }
}

const MASKED = /[\p{L}\p{N}]/u;

const refusalBy = ({ id }: WordRule): ErrorObject =>
  refused("forbidden", "A word rule of this server does not allow this text.", { rule: id }).error;
