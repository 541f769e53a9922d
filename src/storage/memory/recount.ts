/** RecountStore in memory; the twin of ../recount.ts, held to the same suite. */
import type { RecountStore } from "../../ports/social.ts";
import type { Difference } from "../postgres/recount.ts";
import { reactionCounts } from "./reactions.ts";
import type { MemoryTables } from "./tables.ts";

/** A figure that is kept beside what it counts. */
interface Figure extends Difference {
  set(value: number): void;
}

export class MemoryRecount implements RecountStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async recount(isRepairing: boolean): Promise<Difference[]> {
    const found = this.#figures().filter(({ stored, counted }) => stored !== counted);
    if (isRepairing) for (const figure of found) figure.set(figure.counted);
    return found.map(({ what, id, stored, counted }) => ({ what, id, stored, counted }));
  }

  /** Those that this adapter keeps; a conversation's last_seq is the length of its list. */
  #figures(): Figure[] {
    const { social, conversations } = this.#tables;
    const figures: Figure[] = [];
    const add = (what: string, id: string, stored: number, counted: number, set: Figure["set"]) =>
      figures.push({ what, id, stored, counted, set });
    for (const post of social.posts.values()) {
      add("posts.like_count", post.id, post.likeCount, post.likes.size, (count) => {
        post.likeCount = count;
      });
      add("posts.comment_count", post.id, post.commentCount, post.comments.length, (count) => {
        post.commentCount = count;
      });
    }
    for (const stored of conversations.values()) {
      for (const message of stored.messages) {
        const counted = reactionCounts(stored, message.seq);
        const kept = new Map(message.reactions?.map(({ key, count }) => [key, count]));
        for (const key of new Set([...kept.keys(), ...counted.map((each) => each.key)])) {
          const count = counted.find((each) => each.key === key)?.count ?? 0;
          const id = `${stored.id}/${message.seq}/${key}`;
          add("messages.reactions", id, kept.get(key) ?? 0, count, () => {
            if (counted.length > 0) message.reactions = counted;
            else delete message.reactions;
          });
        }
      }
    }
    for (const stored of conversations.values()) {
      const rev = Math.max(stored.metaRev, ...stored.messages.map((message) => message.rev));
      add("conversations.rev", stored.id, stored.rev, rev, (value) => {
        stored.rev = value;
      });
    }
    for (const [userId, own] of social.notifications) {
      const newest = Math.max(0, ...own.items.map(({ seq }) => seq));
      add("notification_counters.last_seq", userId, own.lastSeq, newest, (seq) => {
        own.lastSeq = seq;
      });
    }
    for (const { id, members, messages } of conversations.values()) {
      for (const member of members.values()) {
        const place = `${id}/${member.userId}`;
        const { deliveredSeq, readSeq } = member;
        const most = messages.length;
        const delivered = Math.min(deliveredSeq, most);
        add("conversation_members.delivered_seq", place, deliveredSeq, delivered, (seq) => {
          member.deliveredSeq = seq;
        });
        add("conversation_members.read_seq", place, readSeq, Math.min(readSeq, most), (seq) => {
          member.readSeq = seq;
        });
      }
    }
    return figures;
  }
}
