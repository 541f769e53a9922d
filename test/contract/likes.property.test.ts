/**
 * Many users like and unlike a few posts over two hosts at once, beside comments:
 * whatever the order, the counts are those of the rows. fast-check prints the seed.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PostId, UserId } from "../../src/protocol/ids.ts";
import { ADAPTERS, granted, newUsers, type OpenStorage } from "./adapters.ts";

interface Step {
  host: number;
  user: number;
  post: number;
  act: "like" | "unlike" | "comment";
  /** Whether to wait for everything so far first. */
  wait: boolean;
}

const USERS = 8;
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    host: fc.nat(1),
    user: fc.nat(USERS - 1),
    post: fc.nat(2),
    act: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom("like" as const, "unlike" as const) },
      { weight: 1, arbitrary: fc.constant("comment" as const) },
    ),
    wait: fc.oneof(
      { weight: 19, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
  }),
  { minLength: 1, maxLength: 200 },
);

describe.each(ADAPTERS)("likes in $name", ({ open }) => {
  let storage: OpenStorage;
  let users: UserId[];
  beforeAll(async () => {
    storage = await open();
    users = await newUsers(storage, USERS);
  });
  afterAll(() => storage?.close());

  it("[LIK4] counts are those of the rows, and every change is told once", async () => {
    const hosts = [storage.host().posts, storage.host().posts];
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const posts: PostId[] = [];
        for (let i = 0; i < 3; i++) {
          posts.push(
            (await granted(storage.posts.create(users[0]!, { body: `post ${i}` }))).id as PostId,
          );
        }
        /** Likes given less likes taken, by what the answers said. */
        const told = [0, 0, 0];
        const comments = [0, 0, 0];
        const under: Promise<unknown>[] = [];
        for (const { host, user, post, act, wait } of plan) {
          const store = hosts[host]!;
          const [postId, userId] = [posts[post]!, users[user]!];
          if (act === "comment") {
            comments[post]!++;
            under.push(granted(store.comment(postId, userId, { body: "a comment" })));
          } else {
            const liked = act === "like";
            const changing = granted(store.like({ postId, userId, liked }));
            under.push(
              changing.then(({ changed, likeCount }) => {
                if (changed) told[post]! += liked ? 1 : -1;
                expect(likeCount).toBeGreaterThanOrEqual(liked ? 1 : 0);
                expect(likeCount).toBeLessThanOrEqual(USERS);
              }),
            );
          }
          if (wait) await Promise.all(under);
        }
        await Promise.all(under);

        for (const [i, id] of posts.entries()) {
          const shown = await Promise.all(users.map((reader) => storage.queries.post(reader, id)));
          const likers = shown.filter((post) => post?.liked).length;
          expect(shown[0]).toMatchObject({ like_count: likers, comment_count: comments[i] });
          expect(told[i]).toBe(likers);
        }
        expect(await storage.recount.recount(false)).toEqual([]);
      }),
      { numRuns: 12 },
    );
  });
});
