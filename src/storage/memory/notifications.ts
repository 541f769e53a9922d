/** NotificationStore in memory; the twin of ../notifications.ts, held to the same suite. */
import type { NewNotification, NotificationStore } from "../../../actors/social-ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/ids.ts";
import { isSilenced } from "../../protocol/prefs-rules.ts";
import type { Notification } from "../../protocol/social.ts";
import { SOCIAL_REFUSALS } from "../postgres/refusals.ts";
import type { MemoryTables } from "./tables.ts";

export class MemoryNotifications implements NotificationStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async load(userId: UserId): Promise<{ lastSeq: number; unreadCount: number } | null> {
    if (!this.#tables.users.has(userId)) return null;
    const { social } = this.#tables;
    const lastSeq = social.notifications.get(userId)?.lastSeq ?? 0;
    return { lastSeq, unreadCount: social.unreadOf(userId) };
  }

  async add(asked: NewNotification): Promise<Result<Notification | null>> {
    if (!this.#tables.users.has(asked.userId)) return REFUSALS.userNotFound;
    if (this.#isSilent(asked.userId, asked.actorId)) return ok(null);
    if (this.#isSilenced(asked.userId, asked.type, asked.conversationId)) return ok(null);
    const stored = this.#tables.social.notificationsOf(asked.userId);
    stored.lastSeq++;
    const notification: Notification = {
      id: this.#tables.nextId(),
      seq: stored.lastSeq,
      type: asked.type,
      message: asked.message,
      actor_id: asked.actorId,
      post_id: asked.postId,
      comment_id: asked.commentId,
      count: 1,
      // A copy, as JSON keeps it.
      data: JSON.parse(JSON.stringify(asked.data ?? null)),
      created_at: this.#tables.nowIso(),
      read_at: null,
    };
    stored.items.push(notification);
    return ok({ ...notification });
  }

  async grow(
    userId: UserId,
    id: string,
    by: number,
    actorId: UserId | null,
    message: string,
  ): Promise<Result<Notification>> {
    const own = this.#tables.social.notifications.get(userId);
    const found = own?.items.find((item) => item.id === id);
    const conversationId = found?.type === "reaction" ? conversationIn(found) : undefined;
    if (
      !own ||
      !found ||
      this.#isSilent(userId, actorId) ||
      this.#isSilenced(userId, found.type, conversationId)
    ) {
      return SOCIAL_REFUSALS.notificationNotFound;
    }
    own.lastSeq++;
    found.seq = own.lastSeq;
    found.count += by;
    found.message = message;
    found.actor_id = actorId;
    found.read_at = null;
    own.items.splice(own.items.indexOf(found), 1);
    own.items.push(found);
    return ok({ ...found });
  }

  async markRead(
    userId: UserId,
    upToSeq: number,
  ): Promise<{ unreadCount: number; changed: boolean }> {
    let changed = false;
    for (const item of this.#tables.social.notifications.get(userId)?.items ?? []) {
      if (item.seq > upToSeq || item.read_at !== null) continue;
      item.read_at = this.#tables.nowIso();
      changed = true;
    }
    return { unreadCount: this.#tables.social.unreadOf(userId), changed };
  }

  /** By the user's preferences of the conversation that it comes from. */
  #isSilenced(userId: UserId, type: string, id: string | undefined): boolean {
    const own = this.#tables.prefs.rowOf(userId, id ?? "")?.prefs;
    return own !== undefined && isSilenced(own, type, this.#tables.nowIso());
  }

  /** Users get no notification of their own acts or of acts of a user behind a block. */
  #isSilent(userId: UserId, actorId: UserId | null): boolean {
    if (actorId === null) return false;
    return actorId === userId || this.#tables.social.isBlocked(actorId, userId);
  }
}

/** The conversation that the notification of a reaction names. */
function conversationIn({ data }: Notification): string | undefined {
  return (data as { conversation_id?: string } | null)?.conversation_id;
}
