/**
 * The comments of the posts that were opened, oldest first, page by page, with the pure
 * functions that change them. Invariant: `items` has no hole; own comments that belong beyond
 * pages which are not here stand in `tail` until their page comes.
 */
import type { Comment } from "../../protocol/social.ts";

export interface Page<T> {
  items: readonly T[];
  next_cursor: string | null;
}

export interface Thread {
  items: readonly Comment[];
  /** Own ones beyond the pages that are here. */
  tail: readonly Comment[];
  /** Where in `items` the newest page begins. */
  lastFrom: number;
  /** The cursor of the newest page: asking with it again brings the comments that were added since. */
  lastCursor: string | null;
  /** Null at the end. */
  nextCursor: string | null;
}

/** By post. */
export type Threads = ReadonlyMap<string, Thread>;

const NO_THREAD: Thread = {
  items: [],
  tail: [],
  lastFrom: 0,
  lastCursor: null,
  nextCursor: null,
};

/** Takes in the page of `cursor`: the newest one again, or the one after it. */
export function withCommentPage(
  threads: Threads,
  postId: string,
  page: Page<Comment>,
  cursor: string | null,
): Threads {
  const thread = threads.get(postId) ?? NO_THREAD;
  const isAnew = cursor === thread.lastCursor;
  const before = isAnew ? thread.items.slice(0, thread.lastFrom) : thread.items;
  const isIn = new Set(page.items.map((comment) => comment.id));
  return new Map(threads).set(postId, {
    items: [...before, ...page.items],
    tail: thread.tail.filter((comment) => !isIn.has(comment.id)),
    lastFrom: before.length,
    lastCursor: cursor,
    nextCursor: page.next_cursor,
  });
}

/** One's own new comment: at the end of what is here, or beyond pages that are not. */
export function withOwnComment(threads: Threads, comment: Comment): Threads {
  const thread = threads.get(comment.post_id) ?? NO_THREAD;
  if ([...thread.items, ...thread.tail].some(({ id }) => id === comment.id)) return threads;
  const key = thread.nextCursor === null ? "items" : "tail";
  return new Map(threads).set(comment.post_id, { ...thread, [key]: [...thread[key], comment] });
}

export function withoutCommentsOf(threads: Threads, userId: string): Threads {
  const isOther = (comment: Comment): boolean => comment.author_id !== userId;
  return new Map(
    [...threads].map(([postId, thread]) => {
      const lastFrom = thread.items.slice(0, thread.lastFrom).filter(isOther).length;
      return [postId, { ...thread, lastFrom, items: thread.items.filter(isOther) }];
    }),
  );
}

/** All pages are here, and yet `count` comments are more than they have. */
export function isBehind(thread: Thread | undefined, count: number): boolean {
  return thread !== undefined && thread.nextCursor === null && count > thread.items.length;
}
