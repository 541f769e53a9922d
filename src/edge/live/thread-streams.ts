/**
 * Which threads the sessions of one edge receive: those that their users follow and those that
 * their clients have joined, as long as the users are members of the parent.
 *
 * [THE1] A session receives that its user follows a thread before any other event of it.
 * [THE2] A user who leaves a parent receives nothing of its threads any more, joined or followed.
 * [THE3] An order to leave may come before the session has entered, or be lost: after it has
 *        entered a thread, and where orders may be missing, storage is asked who may read.
 * [THE4] Sessions of version 1 of the contract receive nothing of threads that they have not joined.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Queries } from "../../ports/edge.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { asConversationId, type Conversation } from "../../protocol/schemas.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import type { Streams } from "./conversation-streams.ts";

const RETRY_MS = 500;

export interface ThreadStreamsOptions {
  clock: Clock;
  log: Log;
  queries: Pick<Queries, "readableThreads">;
  streams: Streams;
  sessionsOf(user: UserId): Iterable<Session>;
}

export class ThreadStreams {
  readonly #options: ThreadStreamsOptions;
  #isClosed = false;

  constructor(options: ThreadStreamsOptions) {
    this.#options = options;
  }

  /** [THE1] The user follows the thread, which is as they see it. */
  followed(user: UserId, thread: Conversation): void {
    const { sessionsOf, streams } = this.#options;
    if (thread.parent === undefined) return;
    const id = asConversationId(thread.id);
    const parent = asConversationId(thread.parent.conversation_id);
    const packet = Packet.event("conversation_updated", JSON.stringify(thread));
    for (const session of sessionsOf(user)) {
      if (session.contract === "1") continue;
      session.send(packet);
      if (!session.wantsStream(id)) continue;
      if (!streams.hasRoom(session, parent)) streams.notLive(session, id, thread.rev);
      else {
        void streams.enter(session, id, thread.rev, parent);
        this.entered(session, [id]);
      }
    }
  }

  /** The user follows the thread no more; where the client has joined it, it stays live. */
  unfollowed(user: UserId, thread: Conversation): void {
    const { sessionsOf, streams } = this.#options;
    const id = asConversationId(thread.id);
    const packet = Packet.event("conversation_updated", JSON.stringify(thread));
    for (const session of sessionsOf(user)) {
      if (session.contract === "1") continue;
      session.send(packet);
      if (!session.joinedThreads.has(id)) streams.get(id)?.detach(session);
    }
  }

  /** [THE2] `users` null: the parent is deleted, and its threads are. */
  leftParent(parent: ConversationId, users: readonly UserId[] | null): void {
    const gone = new Set(users);
    for (const stream of this.#options.streams.all()) {
      if (stream.parent !== parent) continue;
      // Their deletion is read from storage, as the change that it is.
      if (users === null) stream.expect(stream.rev + 1);
      for (const session of stream.sessions) {
        if (gone.has(session.user)) stream.detach(session);
      }
    }
  }

  /** [THE3] The session enters these threads. */
  entered(session: Session, ids: readonly ConversationId[]): void {
    if (ids.length > 0) void this.#leaveUnreadable(session, ids);
  }

  /** [THE3] A departure of the user's from a parent may not have been received here. */
  recheck(user: UserId): void {
    for (const session of this.#options.sessionsOf(user)) {
      if (session.threads === 0) continue;
      const ids = [...session.streams].flatMap(({ id, parent }) => (parent === null ? [] : [id]));
      this.entered(session, ids);
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  async #leaveUnreadable(session: Session, ids: readonly ConversationId[]): Promise<void> {
    const { clock, log, queries, streams } = this.#options;
    while (!this.#isClosed && !session.isEnded) {
      try {
        const readable = new Set(await queries.readableThreads(session.user, ids));
        for (const id of ids) {
          if (readable.has(id)) continue;
          await session.entering.get(id);
          streams.get(id)?.detach(session);
        }
        return;
      } catch (error) {
        log.warn({ event: "threads_unread", err: error });
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
  }
}
