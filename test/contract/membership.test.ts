/** Joining, invitations, bans and deletion: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConversationCall } from "../../actors/ports.ts";
import { translationIn } from "../../src/protocol/contract.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { MEMBERS_MAX } from "../../src/protocol/routes.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { edits } from "../support/message-changes.ts";
import {
  ADAPTERS,
  codeOf,
  everyChange,
  granted,
  newDirect,
  newGroup,
  newUsers,
  type OpenStorage,
  say,
} from "./adapters.ts";

describe.each(ADAPTERS)("coming in and going in $name", ({ open }) => {
  let storage: OpenStorage;
  let ann: UserId;
  let bob: UserId;
  let cat: UserId;
  let dan: UserId;
  let eve: UserId;
  let group: ConversationId;
  let hashes = 0;

  beforeAll(async () => {
    storage = await open();
    [ann, bob, cat, dan, eve] = (await newUsers(storage, 5)) as [
      UserId,
      UserId,
      UserId,
      UserId,
      UserId,
    ];
  });
  afterAll(() => storage?.close());

  const call = async (made: ConversationCall) => {
    const [outcome] = (await storage.conversations.change(group, [made])).outcomes;
    return outcome!.ok ? outcome!.value.changed : outcome!.error.code;
  };
  const now = async () => (await storage.conversations.load(group)) as Conversation;
  const idsIn = async () => (await now()).members.map(({ user_id }) => user_id);
  const freshGroup = async (...members: UserId[]) => {
    group = await newGroup(storage, [ann, bob, ...members]);
  };
  const opens = () => call({ by: ann, does: "update", settings: { join: "open" } });
  const join = (by: UserId) => call({ by, does: "join" });
  const ban = (by: UserId, userId: UserId, until: string | null = null) =>
    call({ by, does: "ban", userId, until, reason: "spam" });
  const wish = (more: object = {}) => {
    hashes++;
    const token_hash = `hash-${hashes}`;
    return { token_hash, role: null, max_uses: null, expires_in_s: 3600, ...more };
  };
  const invites = (by: UserId, more: object = {}) =>
    granted(storage.conversations.createInvite(group, by, wish(more)));
  const accept = (by: UserId, inviteId: string) => call({ by, does: "accept", inviteId });

  it("[MBR1] an open conversation is joined by anyone, again without a change", async () => {
    await freshGroup();
    expect(await join(cat)).toBe("not_found");
    await opens();
    const { rev } = await now();
    expect([await join(cat), await join(cat)]).toEqual([true, false]);
    expect(await now()).toMatchObject({ rev: rev + 1 });
    expect(await idsIn()).toEqual([ann, bob, cat]);
    await call({ by: cat, does: "remove", userId: cat });
    // A user who left by themselves is not added by others, but may come back.
    expect(await call({ by: ann, does: "add", userIds: [cat] })).toBe("forbidden");
    expect(await join(cat)).toBe(true);
    await call({ by: cat, does: "remove", userId: cat });
    expect(await call({ by: null, does: "add", userIds: [cat] })).toBe(true);
  });

  it("[MBR2] an invitation lets in as often as it says, and a member is answered", async () => {
    await freshGroup();
    const invite = await invites(bob, { max_uses: 1, role: "reader" });
    expect(invite).toMatchObject({ inviter_id: bob, role: "reader", max_uses: 1, uses: 0 });
    expect(await accept(ann, invite.id)).toBe(false);
    expect(await accept(cat, invite.id)).toBe(true);
    expect(await accept(cat, invite.id)).toBe(false);
    expect(await accept(dan, invite.id)).toBe("not_found");
    const { members } = await now();
    expect(members.find(({ user_id }) => user_id === cat)).toMatchObject({ role: "reader" });
    expect(await codeOf(storage.conversations.createInvite(group, eve, wish()))).toBe("not_found");
    expect(await codeOf(storage.conversations.createInvite(group, cat, wish()))).toBe("forbidden");
    const asAdmin = wish({ role: "admin" });
    expect(await codeOf(storage.conversations.createInvite(group, bob, asAdmin))).toBe("forbidden");
  });

  it("[MBR3] the role is below the inviter's own at the moment of acceptance", async () => {
    await freshGroup();
    await call({ by: ann, does: "member", userId: bob, role: "admin" });
    const [high, low] = [await invites(bob, { role: "moderator" }), await invites(bob)];
    expect(await accept(cat, high.id)).toBe(true);
    await call({ by: ann, does: "member", userId: bob, role: "reader" });
    expect(await accept(dan, high.id)).toBe(true);
    expect(await accept(eve, low.id)).toBe(true);
    const roles = new Map((await now()).members.map(({ user_id, role }) => [user_id, role]));
    expect([cat, dan, eve].map((user) => roles.get(user))).toEqual([
      "moderator",
      "reader",
      "reader",
    ]);
  });

  it("[MBR4] an invitation ends when it is ended, expires, or its inviter goes", async () => {
    await freshGroup(cat);
    const [ended, another, gone] = [await invites(bob), await invites(cat), await invites(cat)];
    const end = (by: UserId, id: string) => codeOf(storage.conversations.endInvite(group, by, id));
    expect(await end(cat, ended.id)).toBe("not_found");
    expect(await end(bob, ended.id)).toBe("");
    expect(await accept(dan, ended.id)).toBe("not_found");
    expect(await end(ann, another.id)).toBe("");
    const expired = await invites(ann, { expires_in_s: -1 });
    expect(await accept(dan, expired.id)).toBe("not_found");
    await call({ by: ann, does: "remove", userId: cat });
    expect(await accept(dan, gone.id)).toBe("not_found");
    await storage.graph.block(bob, dan, true);
    const blocked = await invites(bob, {});
    expect(await accept(dan, blocked.id)).toBe("not_found");
    await storage.graph.block(bob, dan, false);
    expect(await accept(dan, blocked.id)).toBe(true);
  });

  it("[MBR5] an invitation is shown by its token, and listed to its inviter and moderators", async () => {
    await freshGroup(cat);
    await call({ by: ann, does: "update", image_url: "https://a.example/b" });
    const made = await invites(bob, { max_uses: 1 });
    const others = await invites(cat);
    const hash = `hash-${hashes - 1}`;
    expect(await storage.queries.invitation(dan, hash)).toEqual({
      conversationId: group,
      inviteId: made.id,
      isOpen: true,
      isMember: false,
      shown: {
        title: "A group",
        image_url: "https://a.example/b",
        member_count: 3,
        kind: "group",
        inviter: await storage.accounts.byId(bob),
      },
    });
    const list = async (reader: UserId) => {
      const page = await storage.queries.invites(reader, group, 10, null);
      return page.is === "page" ? page.items.map(({ id }) => id) : page.is;
    };
    expect(await list(bob)).toEqual([made.id]);
    expect(await list(ann)).toEqual([others.id, made.id]);
    expect(await list(dan)).toBe("not_found");
    const first = await storage.queries.invites(ann, group, 1, null);
    if (first.is !== "page") throw new Error("a page is expected");
    expect(first.items).toEqual([others]);
    const rest = await storage.queries.invites(ann, group, 1, first.next_cursor);
    expect(rest).toEqual({ is: "page", items: [made], next_cursor: null });
    await accept(dan, made.id);
    expect(await storage.queries.invitation(dan, hash)).toMatchObject({
      isOpen: false,
      isMember: true,
    });
    await ban(ann, eve);
    expect(await storage.queries.invitation(eve, hash)).toBeNull();
    expect(await storage.queries.invitation(dan, "no such hash")).toBeNull();
  });

  it("[MBR6] a ban removes, ends the user's invitations and keeps them out", async () => {
    await freshGroup(cat);
    await opens();
    const theirs = await invites(cat);
    const mine = await invites(ann);
    const { rev } = await now();
    expect(await ban(bob, cat)).toBe("forbidden");
    expect(await ban(ann, cat)).toBe(true);
    expect(await now()).toMatchObject({ rev: rev + 1 });
    expect(await idsIn()).toEqual([ann, bob]);
    expect(await accept(dan, theirs.id)).toBe("not_found");
    expect([await join(cat), await accept(cat, mine.id)]).toEqual(["not_found", "not_found"]);
    expect(await call({ by: ann, does: "add", userIds: [cat] })).toBe("forbidden");
    // A ban of a user who is no member takes no rev.
    expect(await ban(ann, eve)).toBe(false);
    expect((await now()).rev).toBe(rev + 1);
    const page = await storage.queries.bans(ann, group, 10, null);
    expect(page).toMatchObject({
      is: "page",
      items: [
        { user_id: cat, reason: "spam", banned_by: ann },
        { user_id: eve, reason: "spam", banned_by: ann },
      ],
    });
    expect((await storage.queries.bans(bob, group, 10, null)).is).toBe("forbidden");
    expect((await storage.queries.bans(cat, group, 10, null)).is).toBe("not_found");
    expect(await call({ by: ann, does: "unban", userId: cat })).toBe(false);
    expect(await join(cat)).toBe(true);
    expect(await storage.queries.ban(group, cat)).toBeNull();
    await ban(ann, dan, new Date(Date.now() - 1_000).toISOString());
    expect(await join(dan)).toBe(true);
    expect(await ban(ann, "999999999" as UserId)).toBe("not_found");
  });

  it("[MBR7] a full conversation is conflict, and spends no use", async () => {
    const many = await newUsers(storage, MEMBERS_MAX - 2);
    group = await newGroup(storage, [ann, bob, ...many.slice(0, MEMBERS_MAX - 2)]);
    await opens();
    const invite = await invites(ann, { max_uses: 1 });
    expect(await join(cat)).toBe("conflict");
    expect(await accept(cat, invite.id)).toBe("conflict");
    await call({ by: bob, does: "remove", userId: bob });
    expect(await accept(cat, invite.id)).toBe(true);
  });

  it("[MBR8] a deleted conversation is gone for all, and its last change is its deletion", async () => {
    await freshGroup(cat);
    await granted(say(storage, group, bob, "hello"));
    await invites(bob);
    const hash = `hash-${hashes}`;
    const before = await now();
    expect(await call({ by: bob, does: "delete" })).toBe("forbidden");
    const change = await storage.conversations.change(group, [
      { by: ann, does: "delete" },
      { by: ann, does: "update", title: "Too late" },
    ]);
    expect(change).toMatchObject({ deleted: true, changed: true, addedIds: [] });
    expect(change.outcomes[1]).toMatchObject({ ok: false, error: { code: "not_found" } });
    expect(change.removedIds.toSorted()).toEqual([ann, bob, cat].toSorted());
    expect(await storage.conversations.load(group)).toBeNull();
    expect(await call({ by: ann, does: "delete" })).toBe("not_found");
    expect(await codeOf(say(storage, group, bob, "again"))).toBe("not_found");
    expect(await storage.queries.conversation(ann, group)).toBeNull();
    expect(await storage.queries.invitation(dan, hash)).toBeNull();
    const synced = await storage.queries.sync({
      userId: bob,
      after: new Map([[group, before.rev]]),
      complete: false,
    });
    expect(synced).toMatchObject({ conversations: [], removed: [group] });
    const changes = await everyChange(storage, group);
    const last = changes.at(-1)!;
    expect(last).toMatchObject({ name: "conversation_deleted", rev: before.rev + 1 });
    const { body, former } = translationIn(last.body);
    expect(JSON.parse(body)).toEqual({ conversation_id: group, rev: before.rev + 1 });
    expect(former?.name).toBe("conversation_updated");
    expect(JSON.parse(former!.body)).toMatchObject({ id: group, members: [], rev: before.rev + 1 });
    expect(JSON.parse(changes[0]!.body)).toMatchObject({ rev: 1, members: [{}, {}, {}] });
    expect(await storage.recount.recount(false)).toEqual([]);
    await storage.prune(-1_000);
    const kept = await storage.queries.changes(group, before.rev, 10);
    expect(kept.changes.map(({ name }) => name)).toEqual(["conversation_deleted"]);
  });

  it("[MBR9] nobody joins or is invited to a direct conversation", async () => {
    group = await newDirect(storage, [ann, eve]);
    expect(await join(bob)).toBe("not_found");
    expect(await codeOf(storage.conversations.createInvite(group, ann, wish()))).toBe("conflict");
  });

  it("[MBR11] who joins from then on sees what is sent from then on, and has read the rest", async () => {
    await freshGroup();
    await opens();
    await call({ by: ann, does: "update", settings: { history: "joined" } });
    // Before the first message there is nothing to hide.
    await join(eve);
    for (const body of ["one", "two"]) await granted(say(storage, group, ann, body));
    await join(cat);
    const conversation = await now();
    const memberOf = (user: UserId) => conversation.members.find((one) => one.user_id === user);
    expect(memberOf(eve)).toEqual({ user_id: eve, delivered_seq: 0, read_seq: 0 });
    expect(memberOf(cat)).toEqual({
      user_id: cat,
      delivered_seq: 2,
      read_seq: 2,
      visible_from_seq: 3,
    });
    const seqs = async (reader: UserId, window: object = {}) => {
      const whole = { beforeSeq: null, afterSeq: null, limit: 10, ...window };
      const page = (await storage.queries.history(reader, group, whole))!.value();
      return [page.items.map(({ seq }) => seq), page.has_more];
    };
    const syncs = async (reader: UserId, after: Map<ConversationId, number>) => {
      const answer = await storage.queries.sync({ userId: reader, after, complete: true });
      const one = answer.conversations.find(({ conversation_id }) => conversation_id === group);
      return one?.messages.map(({ seq }) => seq);
    };
    const lastOf = async (reader: UserId) => {
      const list = (await storage.queries.conversations(reader, 100, null))!;
      return list.items.find(({ id }) => id === group)!;
    };
    expect(await seqs(ann)).toEqual([[1, 2], false]);
    expect(await seqs(cat)).toEqual([[], false]);
    expect(await lastOf(cat)).toMatchObject({ last_message: null, unread_count: 0 });
    await granted(say(storage, group, ann, "three"));
    await granted(edits(storage.conversations, group, 1, ann, "edited"));
    expect(await seqs(cat)).toEqual([[3], false]);
    expect(await seqs(cat, { afterSeq: 0, limit: 1 })).toEqual([[3], false]);
    expect(await seqs(cat, { beforeSeq: 3 })).toEqual([[], false]);
    expect(await seqs(ann, { beforeSeq: 3, limit: 1 })).toEqual([[2], true]);
    expect(await seqs(ann)).toEqual([[1, 2, 3], false]);
    expect(await lastOf(cat)).toMatchObject({ last_message: { seq: 3 }, unread_count: 1 });
    expect([await syncs(cat, new Map()), await syncs(ann, new Map())]).toEqual([[3], [1, 2, 3]]);
    const since = new Map([[group, 1]]);
    expect([await syncs(cat, since), await syncs(ann, since)]).toEqual([[3], [2, 3, 1]]);
    const changed = await storage.conversations.changedAfter(group, 1, 10, 3);
    expect(changed.map(({ seq }) => seq)).toEqual([3]);
    expect(await storage.queries.visibleFrom(group)).toEqual(new Map([[cat, 3]]));
    const told = (await everyChange(storage, group)).at(-1)!;
    expect(told.rev).toBe((await now()).rev);
  });

  it("[MBR10] members are listed by role and by the beginning of a name", async () => {
    await freshGroup(cat, dan);
    await call({ by: ann, does: "member", userId: cat, role: "moderator" });
    const list = async (filter: object, reader = bob) => {
      const page = await storage.queries.members(reader, group, 10, null, filter);
      return page.is === "page" ? page.items.map(({ user_id }) => user_id) : page.is;
    };
    expect(await list({ role: "owner" })).toEqual([ann]);
    expect(await list({ role: "moderator" })).toEqual([cat]);
    expect(await list({ role: "member" })).toEqual([bob, dan]);
    expect(await list({ role: "admin" })).toEqual([]);
    const name = (await storage.accounts.byId(dan))!;
    expect(await list({ q: name.username.toUpperCase() })).toEqual([dan]);
    expect(await list({ q: name.display_name.split(" ").at(-1)! })).toEqual([dan]);
    expect(await list({ q: "nobody" })).toEqual([]);
    expect(await list({ q: name.username, role: "member" })).toEqual([dan]);
    expect(await list({ q: name.username, role: "moderator" })).toEqual([]);
    await granted(storage.accounts.changeUser(dan, { display_name: "Zoë van der Bëek" }));
    expect(await list({ q: "bEe zoe" })).toEqual([dan]);
    expect(await list({ q: "bee ann" })).toEqual([]);
    await call({ by: ann, does: "update", permissions: { list_members: "moderator" } });
    expect([await list({}), await list({}, cat), await list({}, eve)]).toEqual([
      "forbidden",
      [ann, bob, cat, dan],
      "not_found",
    ]);
  });
});
