/** What an edge sends of channels to sessions that do not watch them, and what it tells their actors. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { createJoinCommands } from "../../src/edge/commands/joins.ts";
import { PageTurns } from "../../src/edge/limits/turns.ts";
import { Channels } from "../../src/edge/live/channels.ts";
import { Streams } from "../../src/edge/live/conversation-streams.ts";
import { TopicSubscriptions } from "../../src/edge/live/subscriptions.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId } from "../../src/protocol/schemas.ts";
import { idIn, topicOf } from "../../src/protocol/topics.ts";
import { FRAME, frame } from "../../src/runtime/frames.ts";
import { settled } from "../support/fake-clock.ts";
import { FarEnd } from "../support/far-end.ts";
import { SELF, SoloActors } from "../support/solo-actors.ts";
import { viewOf } from "../support/view-of.ts";

const LOG = createLogger({ level: "silent" });

let actors: SoloActors;
let interests: TopicSubscriptions;
let streams: Streams;
let channels: Channels;
let ends: FarEnd[];
/** Counts of watching sessions that were sent to the channel's actor. */
let told: number[];
let ann: UserId;
let bob: UserId;
let eve: UserId;
let news: ConversationId;

beforeEach(async () => {
  actors = new SoloActors();
  ends = [];
  told = [];
  const { clock, storage } = actors;
  const { queries } = storage;
  const sessionsOf = (user: UserId) =>
    ends.filter((far) => far.session.user === user).map((far) => far.session);
  const links = (text: string) => text;
  interests = new TopicSubscriptions({
    clock,
    subscribe: () => Promise.resolve(),
    unsubscribe: () => undefined,
    onDropped(topic) {
      const id = idIn("conversation", topic);
      if (id !== null) streams.dropped(id);
    },
  });
  streams = new Streams({
    clock,
    log: LOG,
    queries,
    interests,
    liveMax: 500,
    links,
    onLeft: () => undefined,
    onLostReceipts: () => undefined,
    onNotLive: () => undefined,
    onWatched: (stream) => channels.watched(stream),
    sessionsOf,
  });
  channels = new Channels({
    incarnation: SELF,
    clock,
    log: LOG,
    queries,
    streams,
    interests,
    sessionsOf,
    links,
    gateway: {
      tell: (_kind, _id, op, body) => {
        if (op === "watching") told.push((body as { sessions: number }).sessions);
      },
    },
  });
  [ann, bob, eve] = (await actors.users(3)) as [UserId, UserId, UserId];
  const made = await storage.ports.conversations.create("channel", ann, [ann, bob], "News");
  if (!made.ok) throw new Error(made.error.message);
  news = asConversationId(made.value.conversation.id);
});
afterEach(() => {
  channels.close();
  streams.close();
  interests.close();
  actors.host.close();
});

async function comes(user: UserId): Promise<FarEnd> {
  const far = new FarEnd({ user, session: `s${ends.length}`, contract: "1.1" }).begins();
  ends.push(far);
  const opening = await actors.storage.queries.openSession(user);
  await channels.opened(far.session, opening!.channels);
  return far;
}
const watches = async (far: FarEnd) => {
  void streams.enter(far.session, news, 1, null, true);
  channels.entered(far.session, news);
  await settled();
};
const moves = (rev: number) =>
  channels.onActivity(
    news,
    frame(FRAME.event, {
      key: topicOf.channel(news),
      name: "channel_activity",
      body: JSON.stringify({ rev, last_seq: rev - 1 }),
    }),
  );
const heard = (far: FarEnd) => far.events("conversation_activity").map(({ rev }) => rev);

test("[CHA1] the first change at once, then at most one every 5 s, with one's own count", async () => {
  const far = await comes(bob);
  for (let rev = 2; rev <= 10; rev++) moves(rev);
  await settled();
  expect(heard(far)).toEqual([2]);
  await actors.clock.advance(4_999);
  expect(heard(far)).toEqual([2]);
  await actors.clock.advance(1);
  expect(heard(far)).toEqual([2, 10]);
  expect(far.events("conversation_activity").at(-1)).toMatchObject({
    last_seq: 9,
    unread_count: 9,
  });
  await actors.clock.advance(60_000);
  expect(heard(far)).toEqual([2, 10]);
});

test("[CHA1] not a session that watches, nor one of a user who is no member", async () => {
  const [watcher, passive, stranger] = [await comes(bob), await comes(bob), await comes(eve)];
  await watches(watcher);
  moves(2);
  await settled();
  expect([heard(watcher), heard(passive), heard(stranger)]).toEqual([[], [2], []]);
});

test("[CHA2] who has left receives that, and no activity after it", async () => {
  const [far, other] = [await comes(bob), await comes(ann)];
  await watches(far);
  const found = await actors.storage.queries.conversation(ann, news);
  const conversation = { ...found!, members: [], removed_user_ids: [bob] };
  channels.onMembership(bob, { conversation, is: "left", may_read: false });
  moves(2);
  await settled();
  expect(far.events("conversation_updated")).toHaveLength(1);
  expect(streams.get(news)?.sessions.has(far.session)).not.toBe(true);
  expect([heard(far), heard(other)]).toEqual([[], [2]]);
  expect(other.events("conversation_updated")).toEqual([]);
});

test("[CHA3] the actor is told how many watch, after a change and when it asks", async () => {
  const [one, two] = [await comes(bob), await comes(ann)];
  await watches(one);
  await watches(two);
  await actors.clock.advance(500);
  expect(told).toEqual([2]);
  channels.onGap();
  await actors.clock.advance(500);
  expect(told).toEqual([2, 2]);
  streams.get(news)?.detach(two.session);
  await actors.clock.advance(500);
  expect(told).toEqual([2, 2, 1]);
});

test("[CHA5] a session that may not read it is taken out after it has entered", async () => {
  const far = await comes(eve);
  await watches(far);
  expect(streams.get(news)?.sessions.has(far.session)).not.toBe(true);
});

test("[TYJ2] who is named to a session that begins to watch stops when the owner changes", async () => {
  const far = await comes(bob);
  await actors.asks(`conversation:${news}`, "typing", {
    user: ann,
    session: "sann",
    is_typing: true,
    worker: SELF,
  });
  const answers: string[] = [];
  const { join_conversation } = createJoinCommands(
    {
      gateway: { tell: () => undefined, placement: viewOf(1, [SELF]) },
      streams,
      channels,
      threads: { entered: () => undefined },
      pages: new PageTurns(),
    },
    ({ id: session, user }, conversation, op, body, ack) => {
      const asked = { user, session, ...body };
      void actors.asking(`conversation:${conversation}`, op, asked).then((answer) => {
        if ("value" in answer) ack.ok(JSON.stringify(answer.value));
      });
    },
  );
  join_conversation(
    far.session,
    { conversation_id: news },
    { ok: (answer) => answers.push(answer), refuse: () => undefined },
  );
  await settled();
  expect(answers).toHaveLength(1);
  expect(JSON.parse(answers[0]!)).toMatchObject({ typing: [ann] });
  streams.get(news)?.endTyping("w2");
  expect(far.events("typing")).toEqual([{ conversation_id: news, user_id: ann, is_typing: false }]);
});
