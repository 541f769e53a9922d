/** ThreadStore on PostgreSQL: calls of the thread's one writer, in their place among the sends. */
import type {
  ConversationStore,
  FollowedThread,
  Revised,
  ThreadStore,
} from "../../../actors/ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import type { Writer } from "../batching/writer.ts";
import { THREAD_OUTCOMES } from "./refusals.ts";
import { messageOf } from "./rows.ts";

const CREATE = { text: "SELECT * FROM create_thread($1, $2, $3)" };
const FOLLOW = { text: "SELECT * FROM follow_thread($1, $2, $3, $4)" };
const SUMMARIZE = { name: "summarize_thread", text: "SELECT * FROM summarize_thread($1, $2)" };

export class PostgresThreads implements ThreadStore {
  readonly #writer: Writer;
  readonly #conversations: Pick<ConversationStore, "load">;

  constructor(writer: Writer, conversations: Pick<ConversationStore, "load">) {
    this.#writer = writer;
    this.#conversations = conversations;
  }

  async create(
    parent: ConversationId,
    seq: number,
    by: UserId,
  ): Promise<Result<{ created: boolean; thread: Conversation; follower: UserId | null }>> {
    const [row] = await this.#writer.call<{
      outcome: string;
      changed: boolean;
      id: ConversationId | null;
      follower: UserId | null;
    }>(CREATE, [parent, seq, by]);
    if (row?.outcome !== "ok" || row.id === null) return refusalOf(row?.outcome);
    const thread = await this.#conversations.load(row.id);
    // Deleted with its parent meanwhile.
    if (thread === null) return REFUSALS.conversationNotFound;
    return ok({ created: row.changed, thread, follower: row.follower });
  }

  async follow(
    id: ConversationId,
    user: UserId,
    on: boolean,
    beforeSeq: number | null,
  ): Promise<Result<FollowedThread>> {
    const [row] = await this.#writer.call<{
      outcome: string;
      changed: boolean;
      rev: string;
      last_seq: string;
      last_n: string | null;
    }>(FOLLOW, [id, user, on, beforeSeq]);
    if (row?.outcome !== "ok") return refusalOf(row?.outcome);
    return ok({
      changed: row.changed,
      rev: Number(row.rev),
      last_seq: Number(row.last_seq),
      ...(row.last_n !== null && { last_n: Number(row.last_n) }),
    });
  }

  async summarize(parent: ConversationId, seq: number): Promise<Revised | null> {
    const [row] = await this.#writer.call<{
      outcome: string;
      changed: boolean;
      message: string | null;
    }>(SUMMARIZE, [parent, seq]);
    if (row?.outcome !== "ok" || row.message === null) return null;
    return { message: messageOf(row.message), changed: row.changed, newlyMentioned: [] };
  }
}

const refusalOf = (outcome: string | undefined) =>
  THREAD_OUTCOMES[outcome ?? ""] ?? REFUSALS.internal;
