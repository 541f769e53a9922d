/**
 * The flows of the original architecture, step by step as its diagrams draw them: the like, the
 * chat, the notification, and the life of a connection. Every client is on a worker of its own
 * choosing, as behind any load balancer.
 */
import { expect, it } from "vitest";
import { rowsOf } from "../support/crowd.ts";
import { TIME } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import type { Session } from "../support/session.ts";
import { SHARED_GRACE_MS } from "../support/shared-troupe.ts";
import { troupeForFile } from "../support/suite.ts";

const GRACE_MS = SHARED_GRACE_MS;
const SLACK_MS = 2000;
const SILENCE_MS = 500;
const troupe = troupeForFile({ shared: true });

/** One session on one worker, another person's on another. */
async function onDifferentWorkers(one: Person, other: Person): Promise<[Session, Session]> {
  const first = await one.connects();
  const pid = troupe().workerOf(first);
  for (const session of await troupe().sessionOnEachWorker(other)) {
    if (troupe().workerOf(session) !== pid) return [first, session];
  }
  throw new Error("every session is on one worker");
}

it("[CTR-FLW1] like: A likes B's post; A has its answer, B the notification and the count, C the count", async () => {
  const [userA, userB, userC] = (await troupe().users("A", "B", "C")) as [Person, Person, Person];
  const post = await userB.publishes("The post with the id 123");
  const [clientB, clientC] = await onDifferentWorkers(userB, userC);
  await clientC.does("watch_posts", { post_ids: [post.id] });

  // POST /api/posts/123/like, with a JWT → 1. verify  2. insert like  3. get count
  const response = await userA.likes(post);

  // Client A: response 200 OK
  expect(response).toEqual({ post_id: post.id, liked: true, like_count: 1 });
  // PostgreSQL: INSERT like, COUNT likes
  const stored = await rowsOf(troupe(), "SELECT user_id::text FROM likes WHERE post_id = $1", [
    post.id,
  ]);
  expect(stored).toEqual([{ user_id: userA.id }]);
  // Client B shows "A liked your post", and updates the like count.
  expect(await clientB.next("notification")).toMatchObject({
    type: "like",
    message: "A liked your post",
    actor_id: userA.id,
    post_id: post.id,
  });
  expect(await clientB.next("like_update")).toEqual({ post_id: post.id, like_count: 1 });
  // Client C: count update, and no notification.
  expect(await clientC.next("like_update")).toEqual({ post_id: post.id, like_count: 1 });
  await clientC.never("notification", SILENCE_MS);
});

it("[CTR-FLW2] chat: A types on one worker, B on another sees it, A's own screen does not; then the message", async () => {
  const [userA, userB] = (await troupe().users("A", "B")) as [Person, Person];
  const conversation = await userA.startsDirect(userB);
  const [clientA, clientB] = await onDifferentWorkers(userA, userB);

  // socket.emit("typing", {is_typing: true}) → any worker → fan-out
  await clientA.does("typing", { conversation_id: conversation.id, is_typing: true });

  // Client B shows "A is typing…"; client A (self) nothing.
  expect(await clientB.next("typing")).toEqual({
    conversation_id: conversation.id,
    user_id: userA.id,
    is_typing: true,
  });
  await clientA.never("typing", SILENCE_MS);

  const message = await clientA.sends(conversation.id, "Hello, B");
  expect(await clientB.next("message")).toEqual(message);
  expect(await clientB.next("typing")).toMatchObject({ user_id: userA.id, is_typing: false });
  await clientB.marksRead(conversation.id, message.seq);
  expect(await clientA.next("receipt")).toMatchObject({ user_id: userB.id, read_seq: message.seq });
});

it("[CTR-FLW3] notification: what a back end sends reaches each of the user's connections, and only theirs", async () => {
  const [user, stranger] = (await troupe().users("user", "stranger")) as [Person, Person];
  const backEnd = await Service.of(troupe(), "notify");
  const browser = await user.connects({ label: "browser session" });
  const mobile = await user.connects({ label: "mobile session", transports: ["polling"] });
  const other = await stranger.connects();

  // notification_manager.send_notification(user_id, {type, message, post_id: 456})
  const sent = await backEnd.notifies(user, "Your post is popular", {
    type: "post.popular",
    data: { post_id: 456 },
  });

  // Browser session shows a toast, mobile session a push notification.
  for (const session of [browser, mobile]) {
    expect(await session.next("notification")).toEqual(sent);
  }
  expect(sent).toMatchObject({ type: "post.popular", data: { post_id: 456 } });
  await other.never("notification", SILENCE_MS);

  // A user who was away finds the notification unread after the next connect.
  for (const session of [browser, mobile]) await session.disconnects();
  const later = await backEnd.notifies(user, "And still is", { type: "post.popular" });
  const back = await user.connects();
  expect(back.heard("ready")[0]!.unread.notifications).toBe(2);
  const missed = await back.syncs({}, { notifications_after_seq: sent.seq });
  expect(missed.notifications).toEqual([later]);
});

it("[CTR-FLW4] connection: JWT, confirmation, online; events while it lives; offline with the last session", async () => {
  const [user, friend] = (await troupe().users("user", "friend")) as [Person, Person];
  await friend.follows(user);
  const watcher = await friend.connects();

  // 1. connect with JWT … 6. connection confirmed  7. broadcast online status
  const first = await user.connects();
  const [ready] = first.heard("ready");
  expect(ready).toMatchObject({ user: user.user, session_id: first.id });
  expect(ready!.server_time).toMatch(TIME);
  expect(await watcher.next("user_status")).toMatchObject({ user_id: user.id, status: "online" });

  // Active: receives notifications and count updates.
  const post = await user.publishes("hello");
  await friend.comments(post, "welcome");
  await first.next("notification", ({ type }) => type === "comment");
  await first.next("comment_update");

  // Disconnect: offline only after the last session.
  const second = await user.connects();
  await first.disconnects();
  await watcher.never("user_status", GRACE_MS + SILENCE_MS);
  await second.disconnects();
  expect(await watcher.next("user_status", undefined, GRACE_MS + SLACK_MS)).toMatchObject({
    user_id: user.id,
    status: "offline",
  });
});
