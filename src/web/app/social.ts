/**
 * The social half of the signed-in page without its looks: joins feed, threads, likes, live
 * counts, notifications and relations, and hands each the events it wants. Made and driven by
 * the chat, which owns the connection.
 */
import type { Result } from "../../protocol/errors.ts";
import type { ServerPayload } from "../../protocol/events.ts";
import { createFeed, type Feed } from "./feed.ts";
import type { Api } from "./http.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { createLikes, type Likes } from "./likes.ts";
import type { Ask } from "./link.ts";
import { NO_POSTS, type PostState, withLiveCounts } from "./post-state.ts";
import { createPostWatch, type PostWatch } from "./post-watch.ts";
import { createRelations, type RelationState } from "./relations.ts";
import { createStore, type Store } from "./store.ts";
import { createThreads, type Threads } from "./threads.ts";

export interface Social {
  posts: Store<PostState>;
  relations: Store<RelationState>;
  feed: Feed;
  threads: Threads;
  likes: Likes;
  watch: PostWatch;
  inbox: Inbox;
  follow(userId: string, follows: boolean): Promise<Result<unknown>>;
  block(userId: string, blocks: boolean): Promise<Result<unknown>>;
  takeCounts(counts: ServerPayload<"like_update"> | ServerPayload<"comment_update">): void;
  /** The session is up and caught up. */
  resume(): void;
  stop(): void;
}

export function createSocial(meId: string, api: Api, ask: Ask, isOnline: () => boolean): Social {
  const posts = createStore<PostState>(NO_POSTS);
  const relations = createRelations(meId, api);
  const feed = createFeed(posts, api, relations.noteFollowed);
  const threads = createThreads(posts, api);
  const likes = createLikes(posts, api);
  const watch = createPostWatch(posts, ask, isOnline);
  const inbox = createInbox(api);

  return {
    posts,
    relations: relations.store,
    feed,
    threads,
    likes,
    watch,
    inbox,
    async follow(userId, follows) {
      const answer = await relations.follow(userId, follows);
      if (answer.ok) void feed.reload();
      return answer;
    },
    async block(userId, blocks) {
      const answer = await relations.block(userId, blocks);
      if (answer.ok) {
        if (blocks) feed.hideAuthor(userId);
        void feed.reload();
        threads.refresh();
      }
      return answer;
    },
    takeCounts(counts) {
      watch.noteLive(counts.post_id);
      posts.update((state) => withLiveCounts(state, counts));
      threads.noteCount(counts.post_id);
    },
    resume() {
      watch.restart();
      void inbox.refresh();
      feed.refresh();
      threads.refresh();
    },
    stop() {
      feed.stop();
      watch.stop();
      inbox.stop();
    },
  };
}
