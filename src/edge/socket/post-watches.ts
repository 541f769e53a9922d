/**
 * Live counts as one edge hears them: which local sessions watch which post. The author's own
 * sessions hear of their posts on their user's topic, watched or not, and only there.
 */
import type { PostId, UserId } from "../../protocol/ids.ts";
import { type Topic, topicOf } from "../../protocol/topics.ts";
import type { Frame } from "../../runtime/frames.ts";
import type { Interests } from "../interests.ts";
import { Packet } from "./packet.ts";
import type { PostWatch, Session } from "./session.ts";

export class PostWatches {
  readonly #interests: Interests;
  readonly #watches = new Map<PostId, PostWatch>();

  constructor(interests: Interests) {
    this.#interests = interests;
  }

  /** Resolves when no update of these posts can be missed any more. */
  async hear(posts: readonly PostId[]): Promise<void> {
    await Promise.all(
      posts.flatMap((post) => [
        this.#interests.want(topicOf.likes(post)),
        this.#interests.want(topicOf.comments(post)),
      ]),
    );
  }

  /** Lets go of what `hear` took; watches keep their own hold. */
  unhear(posts: readonly PostId[]): void {
    for (const post of posts) {
      this.#interests.release(topicOf.likes(post));
      this.#interests.release(topicOf.comments(post));
    }
  }

  /** The session may see the post; call between `hear` and `unhear`. */
  add(session: Session, post: PostId, author: UserId): void {
    let watch = this.#watches.get(post);
    if (watch === undefined) {
      watch = { post, author, sessions: new Set() };
      this.#watches.set(post, watch);
    }
    if (watch.sessions.has(session)) return;
    if (watch.sessions.size === 0) void this.hear([post]).catch(() => undefined);
    watch.sessions.add(session);
    session.postWatches.add(watch);
  }

  remove(session: Session, watch: PostWatch): void {
    if (!watch.sessions.delete(session)) return;
    session.postWatches.delete(watch);
    if (watch.sessions.size > 0) return;
    this.#watches.delete(watch.post);
    this.unhear([watch.post]);
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

  onEvent(event: Frame): void {
    const watch = this.#watches.get(event.key.slice(event.key.indexOf(":") + 1) as PostId);
    if (watch === undefined) return;
    const packet = Packet.event(event.name, event.body);
    for (const session of watch.sessions) {
      if (session.user !== watch.author) session.send(packet, event.key as Topic);
    }
  }
}
