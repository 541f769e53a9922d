/**
 * The users who type, as the answers of joins name them. A session keeps what an answer names until
 * a `typing` event ends it, so those users are ended here whose end no event can bring any more.
 *
 * [TYJ1] The owner of the conversation's actor changed while it was asked: the former one answered,
 *        and edges drop the end that it publishes. Its users are ended at once, but for those whom
 *        the stream knows from the new owner.
 * [TYJ2] The users whom the present owner names are the stream's, which ends them when the owner
 *        changes.
 */
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import type { Streams } from "../live/conversation-streams.ts";
import { typingEnded } from "../live/stream-packets.ts";
import type { Session } from "../session/session.ts";

export class JoinedTyping {
  readonly #gateway: Pick<Gateway, "placement">;
  readonly #streams: Pick<Streams, "get">;

  constructor(gateway: Pick<Gateway, "placement">, streams: Pick<Streams, "get">) {
    this.#gateway = gateway;
    this.#streams = streams;
  }

  /** The worker that is asked now; null: none is known. */
  ownerOf(id: ConversationId): string | null {
    return this.#gateway.placement.ownerOf(`conversation:${id}`);
  }

  /**
   * The session, which is in the stream by now, was answered that `users` type. `owner` was asked;
   * null: it did not answer.
   */
  answered(
    session: Session,
    id: ConversationId,
    users: readonly UserId[],
    owner: string | null,
  ): void {
    const stream = this.#streams.get(id);
    if (users.length === 0 || stream?.sessions.has(session) !== true) return;
    const isOwner = owner !== null && owner === this.ownerOf(id);
    for (const user of users) {
      if (stream.typing.has(user)) continue;
      if (isOwner) stream.types(user, owner);
      else session.send(typingEnded(id, user));
    }
  }
}
