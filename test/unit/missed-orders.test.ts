import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { MissedOrders } from "../../src/edge/live/missed-orders.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { settled } from "../support/fake-clock.ts";
import { FarEnd } from "../support/far-end.ts";
import { SoloActors } from "../support/solo-actors.ts";

let actors: SoloActors;
let orders: MissedOrders;
let joined: { id: ConversationId; rev: number; body: string }[];
let ann: UserId;
let bob: UserId;

beforeEach(async () => {
  actors = new SoloActors();
  joined = [];
  [ann, bob] = (await actors.users(2)) as [UserId, UserId];
  const far = new FarEnd({ user: bob }).begins();
  orders = new MissedOrders({
    clock: actors.clock,
    log: createLogger({ level: "silent" }),
    queries: actors.storage.queries,
    users: () => [bob],
    sessionsOf: (user) => (user === bob ? [far.session] : []),
    endLogins: () => Promise.resolve(),
    endUser: () => undefined,
    joined: (_user, body) => {
      const { id, rev } = JSON.parse(body) as { id: ConversationId; rev: number };
      joined.push({ id, rev, body });
    },
    followed: () => undefined,
    tied: () => undefined,
  });
});

afterEach(() => {
  orders.close();
  actors.host.close();
});

test("[MSO3] taken in during a gap: told under the rev of that change, not of what came after it", async () => {
  const room = await actors.group([ann]);
  const key = `conversation:${room}`;
  const acting = { user: ann, session: "" };
  await actors.changes(key, "add_members", { ...acting, user_ids: [bob] });
  const sent = { ...acting, client_id: "c1", body: "x", reply_to_seq: null };
  await actors.asks(key, "send", sent);
  orders.look(0);
  await settled();
  expect(joined.map(({ id, rev }) => [id, rev])).toEqual([[room, 2]]);
  expect(JSON.parse(joined[0]!.body)).toMatchObject({ rev: 2, last_seq: 0 });
});

test("[MSO3] taken in, and others after that: nothing from the first on is passed over", async () => {
  const [cleo] = (await actors.users(1)) as [UserId];
  const room = await actors.group([ann]);
  const key = `conversation:${room}`;
  const acting = { user: ann, session: "" };
  const says = (client_id: string) =>
    actors.asks(key, "send", { ...acting, client_id, body: "x", reply_to_seq: null });
  await says("before");
  await actors.changes(key, "add_members", { ...acting, user_ids: [bob] });
  await says("between");
  await actors.changes(key, "add_members", { ...acting, user_ids: [cleo] });
  orders.look(0);
  await settled();
  expect(joined.map(({ rev }) => rev)).toEqual([3]);
  const members = (JSON.parse(joined[0]!.body) as Conversation).members;
  expect(members.map(({ user_id }) => user_id)).toEqual([ann, bob]);
});
