/**
 * The social half of the signed-in page without its looks: joins feed, threads, likes, live
 * counts and relations, and hands each the events it wants. Made by the
 * session, which owns the client.
 */
import type { Client } from "../../client/index.ts";
import { postWatchOf } from "../../client/social.ts";
import type { Result } from "../../protocol/errors.ts";
import type { PostCounts } from "../../protocol/social.ts";
import { createFeed, type Feed } from "./feed.ts";
import type { Api } from "./http.ts";
import { createLikes, type Likes } from "./likes.ts";
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
  follow(userId: string, follows: boolean): Promise<Result<unknown>>;
  block(userId: string, blocks: boolean): Promise<Result<unknown>>;
  /** The session is up and caught up. */
  resume(): void;
  stop(): void;
}

export function createSocial(meId: string, api: Api, client: Client): Social {
  const posts = createStore<PostState>(NO_POSTS);
  const relations = createRelations(meId, api);
  const feed = createFeed(posts, api, relations.noteFollowed);
  const threads = createThreads(posts, api);
  const likes = createLikes(posts, api);
  const watch = createPostWatch(posts, postWatchOf(client));

  /** Counts of the user's own posts arrive even if the posts are not watched. */
  const takeCounts = (counts: Partial<PostCounts> & { post_id: string }): void => {
    posts.update((state) => withLiveCounts(state, counts));
    threads.noteCount(counts.post_id);
  };
  const ends = [client.on("like_update", takeCounts), client.on("comment_update", takeCounts)];

  return {
    posts,
    relations: relations.store,
    feed,
    threads,
    likes,
    watch,
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
    resume() {
      feed.refresh();
      threads.refresh();
    },
    stop() {
      for (const end of ends) end();
      feed.stop();
      watch.stop();
    },
  };
}
