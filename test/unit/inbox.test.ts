/** The user's inbox: how bursts of likes are written, and in which order they are published. */
import { expect, test } from "vitest";
import type { Context, TopicEvent } from "../../actors/behaviour.ts";
import { emptyInbox, likesChanged, notify } from "../../actors/inbox.ts";
import { LIKES_WINDOW_MS } from "../../actors/limits.ts";
import type { PostId } from "../../src/protocol/ids.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import type { Notification } from "../../src/protocol/social.ts";
import { monotonic, wallTime } from "../../src/protocol/time.ts";
import { createMemoryStorage } from "../../src/storage/memory/ports.ts";
import { settled } from "../support/fake-clock.ts";

const POST = "1" as PostId;

test("[NTF2] likes that come when a window is over, before its timer, begin the next and end the last", async () => {
  const { accounts, ports } = createMemoryStorage();
  const users = [];
  for (const name of ["ann", "bob", "cleo", "dora"]) {
    const user = await accounts.register(name, name, "");
    if (!user.ok) throw new Error(user.error.message);
    users.push(asUserId(user.value.id));
  }
  const [ann, ...fans] = users as [ReturnType<typeof asUserId>];
  const published: TopicEvent[] = [];
  const unasked = () => {
    throw new Error("the inbox does not do this");
  };
  const at = (nowMs: number): Context => ({
    monotonicMs: monotonic(nowMs),
    wallMs: wallTime(0),
    isAway: () => false,
    ask: unasked,
    tell: unasked,
    cancel: unasked,
    passivate: unasked,
    after: () => undefined,
    publish: (_topic, event) => published.push(event),
    run: (work, done, failed) => void work.then(done, failed),
  });
  const inbox = emptyInbox();
  const liked = (fan: number, nowMs: number) => {
    const likers = [fans[fan]!];
    likesChanged(inbox, ann, { type: "liked", post: POST, likers }, ports, at(nowMs));
  };
  const service = { type: "a", message: "m", comment_id: null, data: null };
  liked(0, 1000);
  await settled();
  liked(1, 2000);
  // Something else is being written when the window's rest and the next window's first come.
  const notice = { ...service, actor_id: null, post_id: null };
  notify(inbox, ann, notice, ports, at(3000), () => undefined);
  liked(2, 1000 + LIKES_WINDOW_MS);
  await settled();
  likesChanged(inbox, ann, { type: "time_up" }, ports, at(1000 + 3 * LIKES_WINDOW_MS));
  await settled();

  const heard = published.map(({ body }) => JSON.parse(body) as Notification);
  expect(heard.map(({ seq, count }) => [seq, count])).toEqual([
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 1],
  ]);
  expect(heard[2]!.id).toBe(heard[0]!.id);
  expect(heard[3]!.id).not.toBe(heard[0]!.id);
  expect(inbox.likeNotifications.size).toBe(0);
});
