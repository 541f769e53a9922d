/**
 * Delivers live counts of posts to the local sessions that watch them. The author's own sessions
 * receive them on their user's topic only, whether they watch the post or not.
 */

import type { SocialQueries } from "../../ports/social.ts";
import { type Doubt, doubtedOf } from "../../protocol/doubt.ts";
import type { PostId, UserId } from "../../protocol/ids.ts";
import { WATCHED_POSTS_MAX } from "../../protocol/session-bounds.ts";
import { type Topic, topicOf } from "../../protocol/topics.ts";
import type { Frame } from "../../runtime/frames.ts";
import type { PostWatch, Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import type { TopicSubscriptions } from "./subscriptions.ts";

/** A subscription to posts while their counts are read, before anybody watches them. */
export interface Listening {
  /** Resolves when no update of these posts can be missed any more. */
  confirmed: Promise<void>;
  /** The newest update of each kind that came meanwhile, by its topic. */
  heard: Map<string, Packet>;
}

export class PostWatches {
  readonly #interests: TopicSubscriptions;
  readonly #watches = new Map<PostId, PostWatch>();
  readonly #listening = new Set<{ posts: ReadonlySet<PostId>; heard: Map<string, Packet> }>();

  constructor(interests: TopicSubscriptions) {
    this.#interests = interests;
  }

  /**
   * [PWT1] Subscribes first and reads then: updates between the two are held in `heard`, to be sent
   * after the answer. The subscription ends with `work`; watches have subscriptions of their own.
   */
  async listening(
    posts: readonly PostId[],
    work: (listening: Listening) => Promise<void>,
  ): Promise<void> {
    const entry = { posts: new Set(posts), heard: new Map<string, Packet>() };
    this.#listening.add(entry);
    try {
      await work({ confirmed: this.#hear(posts), heard: entry.heard });
    } finally {
      this.#listening.delete(entry);
      this.#unsubscribe(posts);
    }
  }

  /** The session may see the post. */
  add(session: Session, post: PostId, author: UserId): void {
    let watch = this.#watches.get(post);
    if (watch === undefined) {
      watch = { post, author, sessions: new Set() };
      this.#watches.set(post, watch);
    }
    if (watch.sessions.has(session)) return;
    // The caller's own `listen` waits for the same subscription and reports its failure.
    if (watch.sessions.size === 0) this.#hear([post]).catch(() => undefined);
    watch.sessions.add(session);
    session.postWatches.add(watch);
  }

  remove(session: Session, watch: PostWatch): void {
    if (!watch.sessions.delete(session)) return;
    session.postWatches.delete(watch);
    if (watch.sessions.size > 0) return;
    this.#watches.delete(watch.post);
    this.#unsubscribe([watch.post]);
  }

  /** Whether somebody here watches the post, which therefore exists. */
  isWatched(post: PostId): boolean {
    return this.#watches.has(post);
  }

  /** Whether the session may watch these posts beside those that it watches. */
  hasRoom(session: Session, posts: readonly PostId[]): boolean {
    const more = posts.filter((post) => !this.#watches.get(post)?.sessions.has(session)).length;
    return session.postWatches.size + more <= WATCHED_POSTS_MAX;
  }

  removePosts(session: Session, posts: readonly PostId[]): void {
    for (const post of posts) {
      const watch = this.#watches.get(post);
      if (watch !== undefined) this.remove(session, watch);
    }
  }

  /** A block: the author's posts are not there for this session any more. */
  removeAuthor(session: Session, author: UserId): void {
    for (const watch of [...session.postWatches]) {
      if (watch.author === author) this.remove(session, watch);
    }
  }

  onEvent(post: PostId, event: Frame): void {
    const packet = Packet.event(event.name, event.body);
    for (const { posts, heard } of this.#listening) {
      if (posts.has(post)) heard.set(event.key, packet);
    }
    const watch = this.#watches.get(post);
    if (watch === undefined) return;
    for (const session of watch.sessions) {
      if (session.user !== watch.author) session.send(packet, event.key as Topic);
    }
  }

  /** Reads the counts of posts whose updates may be missing, and sends them to their watchers. */
  async onDoubt(doubt: Doubt, queries: Pick<SocialQueries, "postCounts">): Promise<void> {
    const likes = doubtedOf("likes", doubt);
    const comments = doubtedOf("comments", doubt);
    const named = likes === null || comments === null ? null : new Set([...likes, ...comments]);
    const isDoubted = ({ post }: PostWatch) => named === null || named.has(post);
    const watches = [...this.#watches.values()].filter(isDoubted);
    const sessions = new Set(watches.flatMap((watch) => [...watch.sessions]));
    for (const session of sessions) {
      const posts = [...session.postWatches].filter(isDoubted).map(({ post }) => post);
      for (const { post_id, like_count, comment_count } of await queries.postCounts(
        session.user,
        posts,
      )) {
        const likes = JSON.stringify({ post_id, like_count });
        const comments = JSON.stringify({ post_id, comment_count });
        session.send(Packet.event("like_update", likes), topicOf.likes(post_id as PostId));
        session.send(Packet.event("comment_update", comments), topicOf.comments(post_id as PostId));
      }
    }
  }

  async #hear(posts: readonly PostId[]): Promise<void> {
    await Promise.all(
      posts.flatMap((post) => [
        this.#interests.want(topicOf.likes(post)),
        this.#interests.want(topicOf.comments(post)),
      ]),
    );
  }

  #unsubscribe(posts: readonly PostId[]): void {
    for (const post of posts) {
      this.#interests.release(topicOf.likes(post));
      this.#interests.release(topicOf.comments(post));
    }
  }
}
