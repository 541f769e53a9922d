/** [EVT] The event log that back ends pull. */
import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { OUTSIDE_EVENT_SCHEMAS, type OutsideEvent } from "../../src/protocol/outside-events.ts";
import type { Conversation, Message, User } from "../../src/protocol/schemas.ts";
import { EventReader, type Pulled } from "../support/events.ts";
import { expectRefusal, upTo } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ workers: 2 });

const typesOf = (events: readonly OutsideEvent[]) => events.map(({ type }) => type);
const ofKey = (events: readonly OutsideEvent[], key: string) =>
  events.filter((event) => event.key === key);

function expectTyped(events: readonly OutsideEvent[]): void {
  for (const event of events) {
    const faults = [...Value.Errors(OUTSIDE_EVENT_SCHEMAS[event.type]!, event)];
    expect(faults, JSON.stringify(event)).toEqual([]);
  }
}

describe("the event log", () => {
  it("[EVT1] begins with the first pull, and tells what happens in a conversation, rev by rev", async () => {
    const [ann, bob, eve] = (await troupe().users("ann", "bob", "eve")) as [Person, Person, Person];
    const reader = await EventReader.of(troupe());
    const group = await ann.startsGroup(bob);
    const path = `/api/conversations/${group.id}`;
    const first = await ann.posts(group.id, "one");
    const second = await bob.posts(group.id, "two");
    await ann.api.patch(`${path}/messages/${first.seq}`, { body: "one, better" });
    await bob.api.put(`${path}/messages/${first.seq}/reactions/👍`);
    await ann.api.put(`${path}/pins/${first.seq}`);
    await ann.api.patch(path, { title: "Another title" });
    await ann.api.post(`${path}/members`, { user_ids: [eve.id] });
    await ann.api.patch(`${path}/members/${bob.id}`, { role: "moderator" });
    await ann.api.delete(`${path}/messages/${second.seq}`);
    await eve.api.delete(`${path}/members/${eve.id}`);
    await ann.api.delete(path);

    const events = ofKey(await reader.pullsAll(), `conversation:${group.id}`);
    expectTyped(events);
    expect(typesOf(events)).toEqual([
      ...["conversation.created", "message.created", "message.created", "message.updated"],
      ...["reaction.changed", "message.updated", "conversation.updated", "member.added"],
      ...["member.updated", "message.deleted", "member.removed", "conversation.deleted"],
    ]);
    for (const [i, event] of events.entries()) {
      const before = events[i - 1]?.rev ?? 0;
      expect([before, before + 1]).toContain(event.rev);
    }
    expect(events[0]!.data).toMatchObject({ conversation: { id: group.id, title: "A group" } });
    expect((events[0]!.data as { conversation: Conversation }).conversation.members).toHaveLength(
      2,
    );
    expect(events[1]).toMatchObject({ actor_id: ann.id, data: { message: { body: "one" } } });
    expect(events[7]).toMatchObject({ actor_id: ann.id, data: { member: { user_id: eve.id } } });
    expect(events[9]).toMatchObject({ actor_id: ann.id, data: { message: { body: "" } } });
    expect(events[10]).toMatchObject({ actor_id: eve.id });
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  });

  it("[EVT14] tells of members of a channel who come, are silenced and go, without a rev", async () => {
    const [ann, bob, eve] = (await troupe().users("ann", "bob", "eve")) as [Person, Person, Person];
    const reader = await EventReader.of(troupe());
    const asked = { kind: "channel", title: "News", settings: { join: "open" } };
    const channel = expectStatus(
      await ann.api.post<Conversation>("/api/conversations", asked),
      201,
    );
    const path = `/api/conversations/${channel.id}`;
    const until = new Date(Date.now() + 60_000).toISOString();
    expectStatus(await bob.api.post<unknown>(`${path}/join`), 200);
    expectStatus(
      await ann.api.patch<unknown>(`${path}/members/${bob.id}`, { silenced_until: until }),
      200,
    );
    const { api } = await Service.of(troupe(), "act");
    const acting = { headers: { "troupe-act-as": ann.id } };
    const added = await api.post<unknown>(`${path}/members`, { user_ids: [eve.id] }, acting);
    expectStatus(added, 200);
    expectStatus(
      await ann.api.patch<unknown>(`${path}/members/${eve.id}`, { role: "moderator" }),
      200,
    );
    expectStatus(await bob.api.delete<unknown>(`${path}/members/${bob.id}`), 204);
    expectStatus(await ann.api.put<unknown>(`${path}/bans/${eve.id}`, {}), 200);
    expectStatus(await ann.api.delete<unknown>(path), 204);
    const events = ofKey(await reader.pullsAll(), `conversation:${channel.id}`);
    expectTyped(events);
    const shown = events.map(({ type, rev, actor_id, data }) => {
      const { member } = data as { member?: { user_id: string } };
      return [type, rev, actor_id, member?.user_id];
    });
    expect(shown).toEqual([
      ["conversation.created", 1, ann.id, undefined],
      ["member.added", undefined, bob.id, bob.id],
      ["member.updated", undefined, ann.id, bob.id],
      ["member.added", undefined, ann.id, eve.id],
      ["member.updated", 2, ann.id, eve.id],
      ["member.removed", undefined, bob.id, bob.id],
      ["member.removed", 3, ann.id, eve.id],
      ["conversation.deleted", 4, ann.id, undefined],
    ]);
    expect(events[2]!.data).toMatchObject({ member: { silenced_until: until } });
  });

  it("[EVT8] names the service that made a change of its own", async () => {
    const reader = await EventReader.of(troupe());
    const { api } = await Service.of(troupe(), "users", "act");
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    const path = `/api/conversations/${group.id}/messages`;
    const sent = { type: "system", client_id: "1", body: "moved", data: { event: "moved" } };
    expectStatus<unknown>(await api.post(path, sent), 201);
    await ann.posts(group.id, "a person");
    const put = expectStatus(await api.put<User>("/api/users/external/evt:8", {}), 201);
    const external = { kind: "group", member_ids: [ann.id, bob.id], title: "Made" };
    const made = expectStatus(
      await api.put<Conversation>("/api/conversations/external/evt:8", external),
      201,
    );
    const events = await reader.pullsAll();
    const messages = ofKey(events, `conversation:${group.id}`).filter(
      ({ type }) => type === "message.created",
    );
    const subject = messages[0]!.service;
    expect(subject).toMatch(/./);
    expect(messages[1]).not.toHaveProperty("service");
    expect(messages[1]).toMatchObject({ actor_id: ann.id });
    expect(ofKey(events, `user:${put.id}`)).toMatchObject([
      { type: "user.created", service: subject },
    ]);
    expect(ofKey(events, `conversation:${made.id}`)[0]).toMatchObject({
      type: "conversation.created",
      service: subject,
    });
    expect(ofKey(events, `conversation:${group.id}`)[0]).not.toHaveProperty("service");
    expect(ofKey(events, `user:${ann.id}`)[0]).not.toHaveProperty("service");
  });

  it("[EVT2] tells of users, posts, comments, likes, follows and notifications", async () => {
    const reader = await EventReader.of(troupe());
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    await ann.api.patch("/api/me", { display_name: "Ann the Second" });
    const post = await ann.publishes("a post");
    await bob.comments(post, "a comment");
    await Promise.all((await troupe().users("c", "d", "e")).map((person) => person.likes(post)));
    await bob.likes(post);
    await bob.unlikes(post);
    await bob.follows(ann);
    await bob.blocks(ann);
    await ann.api.delete(`/api/posts/${post.id}`);
    const admin = await Service.of(troupe(), "admin");
    await admin.api.post(`/api/users/${bob.id}/suspend`);
    const events = await reader.pullsAll();
    expectTyped(events);
    const ofPost = ofKey(events, `post:${post.id}`);
    expect(new Set(typesOf(ofPost))).toEqual(
      new Set(["post.created", "comment.created", "like.added", "post.deleted"]),
    );
    expect(typesOf(ofPost).at(-1)).toBe("post.deleted");
    // Those that came together are one event; a like that was taken back is none.
    const likes = ofPost.filter(({ type }) => type === "like.added");
    const likers = likes.flatMap(({ data }) => (data as { user_ids: string[] }).user_ids);
    expect(likers).toHaveLength(3);
    expect(likers).not.toContain(bob.id);
    expect(typesOf(ofKey(events, `user:${bob.id}`))).toEqual([
      ...["user.created", "follow.added", "follow.removed", "user.suspended"],
    ]);
    expect(typesOf(ofKey(events, `user:${ann.id}`))).toEqual(
      expect.arrayContaining(["user.created", "user.updated", "notification.created"]),
    );
    const made = ofKey(events, `user:${ann.id}`)[0]!.data as { user: User };
    expect(made.user).toMatchObject({ id: ann.id, username: ann.user.username });
    expect(JSON.stringify(events)).not.toContain("scrypt");
  });

  it("[EVT3] types, keys, patterns and waiting", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const [one, two] = [await ann.startsGroup(bob), await ann.startsDirect(bob)];
    const reader = await EventReader.of(troupe());
    const begun = reader.cursor;
    await ann.posts(one.id, "in one");
    await ann.posts(two.id, "in two");
    await ann.api.patch(`/api/conversations/${one.id}`, { title: "T" });
    const read = async (query: string) =>
      expectStatus(await reader.api.get<Pulled>(`/api/events?after=${begun}${query}`), 200).items;
    expect(typesOf(await read("&types=message.*"))).toEqual(["message.created", "message.created"]);
    expect(typesOf(await read(`&keys=conversation:${one.id}`))).toEqual([
      "message.created",
      "conversation.updated",
    ]);
    expect(await read(`&types=user.created&keys=conversation:${one.id}`)).toEqual([]);
    for (const wrong of ["types=nonsense.*", "types=message", "keys=42", "wait_s=31", "after=x"]) {
      expectRefusal(await reader.api.get(`/api/events?${wrong}`), "invalid_payload");
    }
    await reader.pullsAll();
    const waiting = reader.pulls("&types=message.created&wait_s=20");
    const sent = await ann.posts(one.id, "awaited");
    expect((await waiting)[0]!.data).toMatchObject({ message: { id: sent.id } });
    expectRefusal(await ann.api.get("/api/events"), "forbidden");
  });

  it("[EVT4] a burst is read whole, in order, in pages of at most 500", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    const reader = await EventReader.of(troupe());
    const session = await ann.connects();
    await Promise.all(
      upTo(900).map((n) =>
        session.does("send_message", {
          conversation_id: group.id,
          client_id: `b${n}`,
          body: `${n}`,
        }),
      ),
    );
    const pages: OutsideEvent[][] = [];
    for (let items = await reader.pulls(); items.length > 0; items = await reader.pulls()) {
      pages.push(items);
    }
    expect(Math.max(...pages.map(({ length }) => length))).toBeLessThanOrEqual(500);
    const seqs = pages.flat().map(({ data }) => (data as { message: Message }).message.seq);
    expect(seqs).toEqual(upTo(900).map((_, i) => i + 1));
  });

  it("[EVT9] a page that ends between two changes is followed by the next one", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    const reader = await EventReader.of(troupe());
    const session = await ann.connects();
    for (const n of upTo(502)) {
      const message = { conversation_id: group.id, client_id: `s${n}`, body: `${n}` };
      await session.does("send_message", message);
    }
    const [first, second] = [await reader.pulls(), await reader.pulls()];
    expect(first.length).toBe(500);
    expect(ofKey([...first, ...second], `conversation:${group.id}`).length).toBe(502);
  });

  it("[EVT5] the application's own names stand beside", async () => {
    const shop = await Service.of(troupe(), "users");
    const name = `app:${process.pid}.events`;
    const reader = await EventReader.of(troupe());
    await reader.pulls("&types=user.online,user.offline");
    const user = expectStatus<User>(await shop.api.put(`/api/users/external/${name}`, {}), 201);
    const [made] = ofKey(await reader.pullsAll(), `user:${user.id}`);
    expect(made!.external_ids).toEqual({ [`user:${user.id}`]: name });
  });

  it("[EVT6] [EVL2] a cursor of another epoch is gone, and says where the log begins", async () => {
    const reader = await EventReader.of(troupe());
    const [, pos, n, mark] = JSON.parse(Buffer.from(reader.cursor, "base64url").toString());
    const other = (parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString("base64url");
    const [epoch] = JSON.parse(Buffer.from(reader.cursor, "base64url").toString());
    for (const cursor of [
      other(["another", pos, n, mark]),
      other([epoch, pos + 1_000, n, mark]),
      other([epoch, pos, n, "nosuch"]),
    ]) {
      const answer = await reader.api.get<{ error: { code: string; details: { oldest: string } } }>(
        `/api/events?after=${cursor}`,
      );
      expect(answer.status).toBe(410);
      expect(answer.body.error.code).toBe("gone");
      const { oldest } = answer.body.error.details;
      expectStatus(await reader.api.get<Pulled>(`/api/events?after=${oldest}`), 200);
    }
  });
});
