/** Joining, invitations, bans and deletion from outside, as the wire contract says them. */
import { describe, expect, it } from "vitest";
import type { Ban, Conversation, Invitation, Invite } from "../../src/protocol/schemas.ts";
import { expectRefusal } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });

async function cast(): Promise<{ ann: Person; bob: Person; cat: Person; group: Conversation }> {
  const [ann, bob, cat] = (await troupe().users("ann", "bob", "cat")) as [Person, Person, Person];
  return { ann, bob, cat, group: await ann.startsGroup(bob) };
}

const at = (group: Conversation, rest = "") => `/api/conversations/${group.id}${rest}`;
const join = (by: Person, group: Conversation) => by.api.post<Conversation>(at(group, "/join"));
const invites = async (by: Person, group: Conversation, body: object = {}) =>
  expectStatus(await by.api.post<Invite & { token: string }>(at(group, "/invites"), body), 201);
const accept = (by: Person, token: string) =>
  by.api.post<Conversation>(`/api/invites/${token}/accept`);
const shown = (by: Person, token: string) => by.api.get<Invitation>(`/api/invites/${token}`);

describe("coming in", () => {
  it("[CTR-MBR1] an open conversation is joined, and its members hear of it", async () => {
    const { ann, bob, cat, group } = await cast();
    expectRefusal(await join(cat, group), "not_found");
    expectStatus(await ann.api.patch(at(group), { settings: { join: "open" } }), 200);
    const [theirs, own] = [await bob.connects(), await cat.connects({ contract: "1.1" })];
    const joined = expectStatus(await join(cat, group), 200);
    expect(joined.members.map(({ user_id }) => user_id)).toContain(cat.id);
    expect((await theirs.next("conversation_updated")).rev).toBe(joined.rev);
    expect((await own.next("conversation_updated")).rev).toBe(joined.rev);
    expect(expectStatus(await join(cat, group), 200).rev).toBe(joined.rev);
    await bob.posts(group.id, "hello");
    expect((await own.next("message")).body).toBe("hello");
  });

  it("[CTR-MBR2] an invitation shows what it is to, and lets in", async () => {
    const { ann, bob, cat, group } = await cast();
    const made = await invites(bob, group, { max_uses: 1, expires_in_s: 60 });
    expect(made).toMatchObject({ conversation_id: group.id, inviter_id: bob.id, max_uses: 1 });
    expect(expectStatus(await shown(cat, made.token), 200)).toEqual({
      title: group.title,
      image_url: null,
      member_count: 2,
      kind: "group",
      inviter: bob.user,
    });
    const page = expectStatus(await ann.api.get<{ items: Invite[] }>(at(group, "/invites")), 200);
    const { token: _token, ...listed } = made;
    expect(page.items).toEqual([listed]);
    expectRefusal(await accept(cat, "no-such-token"), "not_found");
    expectRefusal(await shown(cat, `${made.token}x`), "not_found");
    const first = expectStatus(await accept(cat, made.token), 200);
    expect(expectStatus(await accept(cat, made.token), 200).rev).toBe(first.rev);
    const [dan] = (await troupe().users("dan")) as [Person];
    expectRefusal(await accept(dan, made.token), "not_found");
    expectRefusal(await shown(dan, made.token), "not_found");
    const another = await invites(cat, group);
    const path = at(group, `/invites/${another.id}`);
    expectRefusal(await bob.api.delete(path), "not_found");
    expect((await cat.api.delete(path)).status).toBe(204);
    expectRefusal(await accept(dan, another.token), "not_found");
    for (const body of [{ expires_in_s: 2_592_001 }, { max_uses: 0 }, { role: "king" }]) {
      const refused = await ann.api.post(at(group, "/invites"), body);
      expectRefusal(refused, "invalid_payload");
    }
    expectRefusal(await bob.api.post(at(group, "/invites"), { role: "admin" }), "forbidden");
  });
});

describe("going", () => {
  it("[CTR-MBR3] a ban ends membership and events at once, and keeps out", async () => {
    const { ann, bob, cat, group } = await cast();
    const invite = await invites(ann, group);
    const session = await bob.connects();
    const path = at(group, `/bans/${bob.id}`);
    const banned = expectStatus(await ann.api.put<Ban>(path, { reason: "spam" }), 200);
    expect(banned).toMatchObject({ user_id: bob.id, reason: "spam", banned_by: ann.id });
    const last = await session.next("conversation_updated");
    expect(last.members.map(({ user_id }) => user_id)).toEqual([ann.id]);
    await ann.posts(group.id, "without bob");
    expectRefusal(await bob.api.get(at(group)), "not_found");
    expectRefusal(await accept(bob, invite.token), "not_found");
    expectRefusal(await shown(bob, invite.token), "not_found");
    expectRefusal(await ann.api.post(at(group, "/members"), { user_ids: [bob.id] }), "forbidden");
    const { rev } = expectStatus(await ann.api.get<Conversation>(at(group)), 200);
    expectStatus(await ann.api.put<Ban>(at(group, `/bans/${cat.id}`), {}), 200);
    expect(expectStatus(await ann.api.get<Conversation>(at(group)), 200).rev).toBe(rev);
    const bans = expectStatus(await ann.api.get<{ items: Ban[] }>(at(group, "/bans")), 200);
    expect(new Set(bans.items.map(({ user_id }) => user_id))).toEqual(new Set([bob.id, cat.id]));
    const past = { until: new Date(Date.now() - 60_000).toISOString() };
    expectRefusal(await ann.api.put(path, past), "invalid_payload");
    expect((await ann.api.delete(path)).status).toBe(204);
    expectStatus(await accept(bob, invite.token), 200);
    await session.never("message", 200);
  });

  it("[CTR-MBR4] a deletion is the last event of each contract, and sync says removed", async () => {
    const { ann, bob, group } = await cast();
    const older = await bob.connects();
    const newer = await bob.connects({ contract: "1.1" });
    expectRefusal(await bob.api.delete(at(group)), "forbidden");
    expect((await ann.api.delete(at(group))).status).toBe(204);
    const rev = group.rev + 1;
    expect(await newer.next("conversation_deleted")).toEqual({ conversation_id: group.id, rev });
    expect(await older.next("conversation_updated")).toMatchObject({
      id: group.id,
      rev,
      members: [],
    });
    const synced = await newer.syncs({ [group.id]: group.rev });
    expect(synced.removed).toEqual([group.id]);
    expectRefusal(await ann.api.get(at(group)), "not_found");
    expectRefusal(await ann.api.delete(at(group)), "not_found");
    const join = await newer.isRefused("join_conversation", { conversation_id: group.id });
    expect(join.code).toBe("not_found");
    const direct = await ann.startsDirect(bob);
    expectRefusal(await ann.api.delete(at(direct)), "conflict");
  });
});
