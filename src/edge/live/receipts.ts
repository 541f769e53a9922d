/**
 * The newest cursors of each member that one stream has delivered, so that an older receipt that
 * arrives late (from a second owner for a moment, or from a Redis that was frozen) moves no cursor
 * back. It holds one entry for each member who marked while the stream lived.
 */
import type { MembershipNews } from "../../protocol/members.ts";
import type { Cursors, Receipt } from "../../protocol/schemas.ts";
import { LazyMap } from "../session/lazy.ts";

export class Receipts {
  readonly #told = new LazyMap<string, Cursors>();

  /**
   * The receipt's JSON text as it may be sent; null: everybody has these cursors, or later ones.
   * With `isMasked` the receipt and those that follow it hide how far the member has read.
   */
  advanced(body: string, isMasked = false): string | null {
    const receipt = JSON.parse(body) as Receipt;
    const { user_id, delivered_seq, read_seq } = receipt;
    const told = this.#told.get(user_id);
    if (told === undefined) {
      this.#told.set(user_id, { delivered_seq, read_seq });
      return body;
    }
    if (isMasked) told.read_seq = 0;
    if (delivered_seq <= told.delivered_seq && read_seq <= told.read_seq) return null;
    const isBehind = delivered_seq < told.delivered_seq || read_seq < told.read_seq;
    told.delivered_seq = Math.max(told.delivered_seq, delivered_seq);
    told.read_seq = Math.max(told.read_seq, read_seq);
    return isBehind ? JSON.stringify({ ...receipt, ...told }) : body;
  }

  /** A member who leaves loses their cursors, which start from zero when they come back. */
  follow(news: MembershipNews): void {
    if (news.is === "delta") {
      for (const user of news.removedIds) this.#told.delete(user);
      return;
    }
    for (const user of this.#told.keys()) {
      if (!news.memberIds.has(user)) this.#told.delete(user);
    }
  }
}
