/**
 * Which changes of a conversation are changes of the same thing: a message's revs, or those of
 * its members and title. A change that was committed but not published is read from storage, where
 * an object has its last rev only, which stands for the earlier ones.
 */
import type { History } from "./history.ts";

export class Lineage {
  /** Conversation and rev → the object that changed; the object → its revs. */
  readonly #things = new Map<string, string>();
  readonly #revs = new Map<string, Set<number>>();
  /** Conversation and rev → when the first client received it. */
  readonly #firstMs = new Map<string, number>();

  constructor(history: Pick<History, "records">) {
    for (const rec of history.records) {
      if (rec.kind !== "change") continue;
      const seq = rec.message?.seq ?? rec.seq;
      const part = seq === undefined ? "members" : `seq ${seq}`;
      const thing = `${rec.conversation} ${part}`;
      const key = `${rec.conversation} ${rec.rev}`;
      this.#things.set(key, thing);
      this.#firstMs.set(key, Math.min(rec.atMs, this.#firstMs.get(key) ?? rec.atMs));
      this.#revs.set(thing, (this.#revs.get(thing) ?? new Set()).add(rec.rev));
    }
  }

  /** Whether any client received a change with this rev. */
  wasReceived(conversation: string, rev: number): boolean {
    return this.#things.has(`${conversation} ${rev}`);
  }

  isHeardBefore(conversation: string, rev: number, atMs: number): boolean {
    return (this.#firstMs.get(`${conversation} ${rev}`) ?? atMs) < atMs;
  }

  /** Whether one of `heard` is a later change of the same thing as `rev`. */
  isSuperseded(conversation: string, rev: number, heard: ReadonlySet<number>): boolean {
    const thing = this.#things.get(`${conversation} ${rev}`);
    if (thing === undefined) return false;
    return [...this.#revs.get(thing)!].some((later) => later > rev && heard.has(later));
  }
}
