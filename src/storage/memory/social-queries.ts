/** SocialQueries in memory; the twin of ../social-queries.ts, held to the same suite. */

import type { ListPage } from "../../ports/pages.ts";
import type { PeopleQueries } from "../../ports/people.ts";
import type { SocialOpening, SocialQueries } from "../../ports/social.ts";
import type { PostId, UserId } from "../../protocol/ids.ts";
import { JsonText } from "../../protocol/json-text.ts";
import { asUserId } from "../../protocol/schemas.ts";
import { AUTOMATIC_WATCHES_MAX } from "../../protocol/session-bounds.ts";
import type { Comment, Notification, Post, PostCounts } from "../../protocol/social.ts";
import { decodeListCursor } from "../postgres/list-cursor.ts";
import { pageOf } from "../postgres/social-queries.ts";
import { MemoryPeople } from "./people.ts";
import { shownPost } from "./posts.ts";
import { compareIds, type MemoryTables } from "./tables.ts";

export class MemorySocialQueries implements SocialQueries {
  readonly people: PeopleQueries;
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.people = new MemoryPeople(tables);
    this.#tables = tables;
  }

  async post(reader: UserId, id: PostId): Promise<Post | null> {
    const stored = this.#tables.social.postOf(reader, id);
    return stored ? shownPost(this.#tables, stored, reader) : null;
  }

  async feed(
    reader: UserId,
    limit: number,
    cursor: string | null,
  ): Promise<JsonText<ListPage<Post>> | undefined> {
    const below = cursor === null ? null : decodeListCursor("feed", cursor);
    if (below === undefined) return undefined;
    const { posts, follows } = this.#tables.social;
    const authors = new Set([reader, ...(follows.get(reader) ?? [])]);
    const found = [...posts.values()]
      .filter((post) => !post.deleted && authors.has(post.authorId))
      .filter(({ id }) => below === null || compareIds(id, below) < 0)
      .reverse()
      .map((post) => shownPost(this.#tables, post, reader));
    return JsonText.of(pageOf("feed", found, limit, ({ id }) => id));
  }

  async comments(
    reader: UserId,
    post: PostId,
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<Comment> | null | undefined> {
    const above = cursor === null ? null : decodeListCursor("comments", cursor);
    if (above === undefined) return undefined;
    const stored = this.#tables.social.postOf(reader, post);
    if (!stored) return null;
    const found = stored.comments
      .filter(({ id }) => above === null || compareIds(id, above) > 0)
      .map((comment) => ({ ...comment }));
    return pageOf("comments", found, limit, ({ id }) => id);
  }

  async comment(reader: UserId, id: string): Promise<Comment | null> {
    const { social } = this.#tables;
    for (const { id: postId, comments } of social.posts.values()) {
      const found = comments.find((comment) => comment.id === id);
      if (found && social.postOf(reader, postId)) return { ...found };
    }
    return null;
  }

  async postCounts(
    reader: UserId,
    ids: readonly PostId[],
  ): Promise<(PostCounts & { author_id: string })[]> {
    return ids.flatMap((id) => {
      const stored = this.#tables.social.postOf(reader, id);
      if (!stored) return [];
      const { authorId, likeCount, commentCount } = stored;
      const counts = { like_count: likeCount, comment_count: commentCount };
      return [{ post_id: id, author_id: authorId, ...counts }];
    });
  }

  async notifications(
    reader: UserId,
    limit: number,
    cursor: string | null,
  ): Promise<(ListPage<Notification> & { unread_count: number }) | undefined> {
    const below = cursor === null ? null : decodeListCursor("notifications", cursor);
    if (below === undefined) return undefined;
    const { social } = this.#tables;
    const found = (social.notifications.get(reader)?.items ?? [])
      .filter(({ seq }) => below === null || seq < Number(below))
      .reverse()
      .map((notification) => ({ ...notification }));
    return {
      ...pageOf("notifications", found, limit, ({ seq }) => String(seq)),
      unread_count: social.unreadOf(reader),
    };
  }

  async notificationSeqs(users: UserId[]): Promise<Map<UserId, number>> {
    const { notifications } = this.#tables.social;
    return new Map(
      users.flatMap((user) => {
        const found = notifications.get(user);
        return found === undefined ? [] : [[user, found.lastSeq] as const];
      }),
    );
  }

  async notificationsAfter(reader: UserId, seq: number, limit: number): Promise<Notification[]> {
    return (this.#tables.social.notifications.get(reader)?.items ?? [])
      .filter((notification) => notification.seq > seq)
      .slice(0, limit)
      .map((notification) => ({ ...notification }));
  }

  async blockedAmong(reader: UserId, users: readonly UserId[]): Promise<UserId[]> {
    return users.filter((other) => this.#tables.social.isBlocked(reader, other));
  }
}

/** The social part of a session's opening. */
export function socialOpening(tables: MemoryTables, userId: UserId): SocialOpening {
  const { social } = tables;
  return {
    followees: Array.from(social.follows.get(userId) ?? [], asUserId)
      .reverse()
      .slice(0, AUTOMATIC_WATCHES_MAX),
    blocked: Array.from(tables.users.keys(), asUserId).filter((id) => social.isBlocked(userId, id)),
    unreadNotifications: social.unreadOf(userId),
    lastNotificationSeq: social.notifications.get(userId)?.lastSeq ?? 0,
  };
}
