/** [ISO1] Sends a session that catches up what happened while its user was a member. */
import type { Change, Changes } from "../../ports/edge.ts";
import { isMemberAfter } from "../../protocol/members.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import { newsOf, whatOf } from "./event-texts.ts";
import type { Stream } from "./stream.ts";
import { durablePacket, revSkipped } from "./stream-packets.ts";

export class CatchUp {
  readonly #session: Session;
  readonly #stream: Stream;
  readonly #links: (text: string) => string;
  isMember = true;
  /** Sent to a session of version 1 in the place of a change that is hidden from it. */
  conversation: Conversation | null = null;

  constructor(session: Session, stream: Stream, links: (text: string) => string) {
    this.#session = session;
    this.#stream = stream;
    this.#links = links;
  }

  of(change: Change): void {
    const { name, body, rev } = change;
    const wasMember = this.isMember;
    const isOfMembers = name === "conversation_updated" || name === "conversation_deleted";
    if (isOfMembers) this.isMember = this.#isIn(change);
    else if (this.#isHidden(change)) {
      if (this.isMember) this.#session.send(this.#skipped(rev));
      return;
    } else if (this.#isAnswered(change)) return;
    if (wasMember || this.isMember) this.#session.send(durablePacket(name, body, this.#links));
  }

  /** Changes of members before this one are forgotten. */
  ofRemoval(change: Change): void {
    if (this.isMember && !this.#stream.isChannel && !this.#isIn(change)) this.of(change);
  }

  /** [STM7] Whether one of the changes is hidden from a session that knows no `rev_skipped`. */
  needsConversation({ changes }: Changes): boolean {
    return this.#session.contract === "1" && changes.some((change) => this.#isHidden(change));
  }

  #isHidden({ name, body }: Change): boolean {
    return name !== "conversation_updated" && this.#stream.hides(this.#session.user, body);
  }

  #skipped(rev: number): Packet {
    const { conversation } = this;
    if (conversation === null) return revSkipped(this.#stream.id, rev);
    return Packet.event("conversation_updated", JSON.stringify({ ...conversation, rev }));
  }

  /** [STM2] */
  #isAnswered({ name, rev, body }: Change): boolean {
    const { user } = this.#session;
    if (this.#session.answeredAfter(this.#stream.id, rev - 1).includes(rev)) return true;
    const change = whatOf(name, body);
    if (change === null || (change.by ?? user) !== user) return false;
    return this.#session.answers(`${this.#stream.id} ${change.what}`, body);
  }

  #isIn({ name, body, memberIds }: Change): boolean {
    // An order takes users out who may not read a channel any more.
    if (this.#stream.isChannel) return name !== "conversation_deleted";
    return isMemberAfter(newsOf(body, memberIds), this.#session.user, this.isMember);
  }
}
