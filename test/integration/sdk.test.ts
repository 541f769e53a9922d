/** The client SDK against a real Troupe: what two people see of each other, and a back end. */
import { afterEach, describe, expect, it } from "vitest";
import {
  channelsOf,
  createCaller,
  online,
  onMessage,
  progressOf,
  TroupeError,
  threadsOf,
} from "../../src/client/index.ts";
import { presenceOf, typingOf } from "../../src/client/presence.ts";
import { inboxOf, postWatchOf } from "../../src/client/social.ts";
import { eventually } from "../support/eventually.ts";
import { SdkClients, until } from "../support/sdk.ts";
import { serviceTokenOf } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const troupe = troupeForFile({ shared: true });
const clients = new SdkClients();

afterEach(() => clients.closeAll());

describe.each(["websocket", "polling"] as const)("two people over %s", (transport) => {
  const transports: ("websocket" | "polling")[] = [transport];

  it("[SDK10] what one sends the other sees, and the sender how far it came", async () => {
    const { ann, bob, id } = await clients.pair(troupe(), { transports });
    const close = bob.client.open(id);
    const { clientId, committed } = ann.client.send(id, "Hello, Bob");
    expect(ann.client.conversation(id).get()?.outgoing[0]).toMatchObject({ clientId });
    const message = await committed;
    expect(message).toMatchObject({ seq: 1, body: "Hello, Bob", client_id: clientId });
    await bob.sees("the message", id, (view) => view.unread === 1 && view.messages.length === 1);
    const delivered = await ann.sees("that it arrived", id, (view) => {
      return progressOf(view, message) === "delivered";
    });
    expect(delivered?.outgoing).toEqual([]);
    bob.client.markRead(id);
    await bob.sees("nothing unread", id, (view) => view.unread === 0);
    await ann.sees("that it was read", id, (view) => progressOf(view, message) === "read");
    close();
  });

  it("[SDT1] a thread is shown, written to and followed, and stands in no list", async () => {
    const { ann, bob, id } = await clients.pair(troupe(), { transports });
    await ann.client.send(id, "the root").committed;
    const thread = await threadsOf(bob.client).of(id, 1);
    expect(await threadsOf(ann.client).of(id, 1)).toBe(thread);
    const close = bob.client.open(thread);
    await bob.client.send(thread, "a reply").committed;
    await ann.sees("the reply", thread, (view) => view.unread === 1 && view.messages.length === 1);
    const followed = threadsOf(ann.client).followed.get();
    expect(followed.map((view) => view.id)).toEqual([thread]);
    expect(ann.client.conversations.get().map((view) => view.id)).not.toContain(thread);
    await ann.sees("the summary", id, ({ messages }) => messages[0]?.thread?.reply_count === 1);
    await threadsOf(ann.client).follow(thread, false);
    await ann.sees("nothing of one's own", thread, (view) => {
      return view.conversation.members.length === 0;
    });
    expect(threadsOf(ann.client).followed.get()).toEqual([]);
    close();
  });

  it("[SDC1] a channel is live while it is watched, and counted while it is not", async () => {
    const { ann, bob } = await clients.pair(troupe(), { transports });
    const settings = { join: "open" as const };
    const { id } = await channelsOf(ann.client).create({ title: "News", settings });
    expect(await channelsOf(bob.client).join(id)).toMatchObject({ member_count: 2 });
    const stop = channelsOf(bob.client).watch(id);
    await ann.client.send(id, "one").committed;
    await bob.sees("the message", id, ({ messages }) => messages.length === 1);
    const occupancy = channelsOf(bob.client).occupancy(id);
    await eventually("the occupancy", () => occupancy.get()?.watching === 1, 10_000);
    stop();
    await ann.client.send(id, "two").committed;
    await bob.sees("what is unread", id, (view) => view.unread === 2 && view.messages.length === 1);
    await channelsOf(bob.client).leave(id);
    await eventually("it is gone", () => bob.client.conversation(id).get() === null);
  });

  it("[SDC2] [SDK70] one joins, leaves and joins again, and watches only what is shown", async () => {
    const { ann, bob } = await clients.pair(troupe(), { transports });
    const [news, own] = [channelsOf(ann.client), channelsOf(bob.client)];
    const settings = { join: "open" as const };
    const { id } = await news.create({ title: "News", audience: "anyone", settings });
    const listed = () => bob.client.conversations.get().some((view) => view.id === id);
    const view = () => bob.client.conversation(id).get();
    const stop = own.watch(id);
    await eventually("it is read without a membership", () => view()?.isMember === false);
    await ann.client.send(id, "one").committed;
    await bob.sees(
      "the message",
      id,
      ({ messages, unread }) => messages.length === 1 && unread === 0,
    );
    expect(listed()).toBe(false);
    for (let round = 0; round < 2; round++) {
      await own.join(id);
      await eventually("membership", () => view()?.isMember === true && listed());
      expect(view()?.memberCount).toBe(2);
      await own.leave(id);
      await eventually("its end", () => view()?.isMember === false && !listed());
    }
    await own.join(id);
    await eventually("membership", () => view()?.isMember === true);
    const page = await news.members(id, { q: bob.person.user.username });
    expect(page.items.map(({ user_id }) => user_id)).toEqual([bob.id]);
    await expect(own.members(id)).rejects.toMatchObject({ code: "forbidden" });
    const occupancy = news.occupancy(id);
    const end = news.watch(id);
    await eventually("two watch", () => occupancy.get()?.watching === 2, 15_000);
    stop();
    const again = own.watch(id);
    again();
    await eventually("one watches", () => occupancy.get()?.watching === 1, 15_000);
    end();
  });

  it("[SDK11] typing, replies, edits and deletions arrive", async () => {
    const { ann, bob, id } = await clients.pair(troupe(), { transports });
    typingOf(ann.client).touch(id);
    await bob.sees("ann typing", id, ({ typing }) => typing.includes(ann.id));
    await ann.client.send(id, "first").committed;
    await bob.sees("that she stopped", id, ({ typing }) => typing.length === 0);
    const reply = await bob.client.send(id, "second", { replyToSeq: 1 }).committed;
    expect(reply.reply_to_seq).toBe(1);
    expect((await ann.client.edit(id, 1, "first, better")).edited_at).not.toBeNull();
    await bob.sees("the edit", id, ({ messages }) => messages[0]?.body === "first, better");
    await bob.client.remove(id, 2);
    await ann.sees("the deletion", id, ({ messages }) => messages[1]?.deleted_at !== null);
    const refusal = await ann.client.edit(id, 2, "not hers").catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(TroupeError);
    expect(refusal).toMatchObject({ code: "forbidden" });
  });
});

describe("one person's client", () => {
  it("[SDK12] a message that is refused stays with its reason until it is discarded", async () => {
    const { ann, id } = await clients.pair(troupe());
    const bad = ann.client.send(id, " ");
    const good = ann.client.send(id, "fine");
    await expect(bad.committed).rejects.toMatchObject({ code: "invalid_payload" });
    expect((await good.committed).seq).toBe(1);
    const view = await ann.sees("one problem", id, ({ outgoing }) => outgoing.length === 1);
    expect(view?.outgoing[0]?.problem?.code).toBe("invalid_payload");
    ann.client.discard(bad.clientId);
    await ann.sees("no problem", id, ({ outgoing }) => outgoing.length === 0);
  });

  it("[SDK13] the newest messages come with opening it, older ones page by page", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const { id } = await ann!.startsDirect(bob!);
    for (let n = 1; n <= 120; n++) await ann!.posts(id, `${n}`);
    const { client } = clients.of(bob!);
    await online(client);
    expect(client.conversation(id).get()).toMatchObject({ unread: 120, isLoaded: false });
    client.open(id);
    const source = client.conversation(id);
    await until("the newest page", source, (view) => view?.isLoaded === true);
    expect(source.get()?.messages.map(({ seq }) => seq)).toEqual(range(71, 120));
    expect(await client.loadOlder(id)).toBe(true);
    expect(await client.loadOlder(id)).toBe(false);
    expect(source.get()?.messages.map(({ seq }) => seq)).toEqual(range(1, 120));
    expect(source.get()?.hasOlder).toBe(false);
  });

  it("[SDK14] a group: made, named, joined and left", async () => {
    const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
    const a = clients.of(ann!);
    const b = clients.of(bob!);
    const c = clients.of(cleo!);
    await Promise.all([a.isOnline(), b.isOnline(), c.isOnline()]);
    const { id } = await a.client.createConversation([bob!.id], "Plans");
    await a.client.send(id, "before cleo").committed;
    await b.sees("the group", id, ({ conversation }) => conversation.title === "Plans");
    await a.client.api("POST /api/conversations/:id/members", { id, user_ids: [cleo!.id] });
    await c.sees("what was said before", id, ({ messages }) => messages.length === 1);
    await b.client.api("PATCH /api/conversations/:id", { id, title: "Better plans" });
    await c.sees("the new title", id, ({ conversation }) => conversation.title === "Better plans");
    await c.client.api("DELETE /api/conversations/:id/members/:user_id", {
      id,
      user_id: cleo!.id,
    });
    await until("cleo is out", c.client.conversation(id), (view) => view === null);
    await a.sees("two members", id, ({ conversation }) => conversation.members.length === 2);
  });

  it("[SDK15] presence and counts are watched while somebody looks", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const a = clients.of(ann!);
    await a.isOnline();
    const presence = presenceOf(a.client).of(bob!.id);
    const looks = presence.subscribe(() => undefined);
    await until("bob is offline", presence, (status) => status?.status === "offline");
    const b = clients.of(bob!);
    await until("bob is online", presence, (status) => status?.status === "online");
    presenceOf(b.client).show("away");
    await until("bob is away", presence, (status) => status?.status === "away");
    looks();
    // A subscription would start the watch again, so the value is only read.
    await eventually("nothing is known of bob", () => presence.get() === null);

    const post = await ann!.publishes("like me");
    const counts = postWatchOf(b.client).counts(post.id);
    const watches = counts.subscribe(() => undefined);
    await until("the counts", counts, (found) => found?.like_count === 0);
    await ann!.likes(post);
    await until("the like", counts, (found) => found?.like_count === 1);
    const gone = postWatchOf(b.client).counts("999999");
    const watchesGone = gone.subscribe(() => undefined);
    await until("that there is no such post", gone, (found) => found === null);
    watches();
    watchesGone();
  });
});

describe("a back end", () => {
  it("[SDK16] notifies with a service token; the person sees, counts and reads it", async () => {
    const ann = await troupe().user("ann");
    const { client } = clients.of(ann);
    await online(client);
    const token = await serviceTokenOf(JWT_SECRET, ["notify"]);
    const backEnd = createCaller({ url: troupe().url, token });
    const sent = await backEnd("POST /api/notifications", {
      user_id: ann.id,
      type: "order.shipped",
      message: "It is on its way.",
      data: { order: 7 },
    });
    const { state, load, markRead } = inboxOf(client);
    await until("one unread", state, ({ unread }) => unread === 1);
    await load();
    expect(state.get()).toMatchObject({ unread: 1, items: [{ id: sent.id }] });
    await markRead();
    expect(state.get().unread).toBe(0);
    expect(state.get().items[0]?.read_at).not.toBeNull();
    await expect(
      backEnd("POST /api/notifications", { user_id: "999999", type: "a", message: "b" }),
    ).rejects.toMatchObject({ code: "not_found" });
  });

  it("[SDK17] a bot hears each message once and answers it", async () => {
    const [ann, robot] = await troupe().users("ann", "robot");
    const bot = clients.of(robot!).client;
    onMessage(bot, (message) => {
      if (message.sender_id !== robot!.id) bot.send(message.conversation_id, `${message.body}?`);
    });
    await online(bot);
    const a = clients.of(ann!);
    await a.isOnline();
    const { id } = await a.client.createConversation([robot!.id]);
    for (const body of ["one", "two", "three"]) a.client.send(id, body);
    await a.sees("three answers", id, ({ messages }) => messages.length === 6);
    const answers = a.bodies(id).filter((body) => body.endsWith("?"));
    expect(answers).toEqual(["one?", "two?", "three?"]);
  });

  it("[SDK18] signs in without a token, and is told why not", async () => {
    const caller = createCaller({ url: troupe().url });
    const username = `zoe_${Date.now()}`;
    const made = await caller("POST /api/auth/register", { username, password: "a long secret" });
    expect(made.user.username).toBe(username);
    const login = { username, password: "another secret" };
    await expect(caller("POST /api/auth/login", login)).rejects.toMatchObject({
      code: "unauthorized",
    });
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, n) => from + n);
}
