/**
 * The members of a conversation at each `rev`, derived from the events that any client received.
 * Between two known member lists the older one is valid; before the first no member is known.
 */
import type { History } from "./history.ts";

export class Membership {
  readonly #tellings = new Map<string, { rev: number; members: ReadonlySet<string> }[]>();

  constructor(history: Pick<History, "records" | "final">) {
    for (const rec of history.records) {
      if (rec.kind === "change" && rec.members !== undefined) {
        this.#told(rec.conversation, rec.rev, rec.members);
      } else if (rec.kind === "synced") {
        for (const one of rec.conversations) {
          if (one.members !== undefined && !one.hasMore) {
            this.#told(one.conversation, one.rev, one.members);
          }
        }
      }
    }
    for (const { id, rev, members, parent } of history.final.conversations) {
      if (parent !== undefined) continue;
      this.#told(
        id,
        rev,
        members.map((member) => member.user),
      );
    }
    for (const tellings of this.#tellings.values()) tellings.sort((a, b) => a.rev - b.rev);
    // A follower goes on following a thread, unless the parent removes them.
    for (const { id, members, parent } of history.final.conversations) {
      if (parent === undefined) continue;
      const users = members.map((member) => member.user);
      const stayed = users.filter((user) => !this.hasLeft(parent.conversation, user));
      this.#told(id, 0, stayed);
    }
  }

  #told(conversation: string, rev: number, members: string[]): void {
    const tellings = this.#tellings.get(conversation) ?? [];
    this.#tellings.set(conversation, tellings);
    if (!tellings.some((one) => one.rev === rev)) tellings.push({ rev, members: new Set(members) });
  }

  /** Whether `user` was in it once the change `rev` was made. */
  has(conversation: string, user: string, rev: number): boolean {
    let is = false;
    for (const telling of this.#tellings.get(conversation) ?? []) {
      if (telling.rev > rev) break;
      is = telling.members.has(user);
    }
    return is;
  }

  /** Whether `user` was removed at some time, so that their cursors started over. */
  hasLeft(conversation: string, user: string): boolean {
    let was = false;
    for (const { members } of this.#tellings.get(conversation) ?? []) {
      if (was && !members.has(user)) return true;
      was = members.has(user);
    }
    return false;
  }

  /** Whether the change concerns `user`: a member then, or removed by this very change. */
  concerns(conversation: string, user: string, rev: number): boolean {
    return this.has(conversation, user, rev) || this.has(conversation, user, rev - 1);
  }
}
