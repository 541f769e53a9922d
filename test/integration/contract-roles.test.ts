/** Settings, permissions and roles from outside, as the wire contract says them. */
import { describe, expect, it } from "vitest";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { expectRefusal } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });

interface Cast {
  owner: Person;
  moderator: Person;
  member: Person;
  group: Conversation;
}

async function cast(): Promise<Cast> {
  const [owner, moderator, member] = (await troupe().users("owner", "moderator", "member")) as [
    Person,
    Person,
    Person,
  ];
  const group = await owner.startsGroup(moderator, member);
  await gives(owner, group.id, moderator, { role: "moderator" });
  return { owner, moderator, member, group };
}

const patch = (by: Person, id: string, body: object) =>
  by.api.patch<Conversation>(`/api/conversations/${id}`, body);
const patchMember = (by: Person, id: string, of: Person, body: object) =>
  by.api.patch<Conversation>(`/api/conversations/${id}/members/${of.id}`, body);
const gives = async (by: Person, id: string, of: Person, body: object) =>
  expectStatus(await patchMember(by, id, of, body), 200);
const sends = (by: Person, id: string) =>
  by.api.post(`/api/conversations/${id}/messages`, { client_id: by.nextClientId(), body: "hi" });
/** The roles that members show, by user. */
const rolesIn = ({ members }: Conversation) =>
  Object.fromEntries(members.flatMap(({ user_id, role }) => (role ? [[user_id, role]] : [])));
const fetched = async (by: Person, id: string) =>
  expectStatus(await by.api.get<Conversation>(`/api/conversations/${id}`), 200);

describe("the conversation object", () => {
  it("[CTR-ROL1] it is made with data, settings and permissions, and shows what differs", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const made = await ann.api.post<Conversation>("/api/conversations", {
      kind: "group",
      member_ids: [bob.id],
      data: { order: "A-17", lines: [1.5, null, { deep: true }] },
      image_url: "https://images.example/a.png",
      settings: { join: "invite", slow_mode_s: 0, history: "all", reactions: "one" },
      permissions: { send: "member", pin: "admin" },
    });
    expect(made.status, made.text).toBe(201);
    expect(made.body).toMatchObject({
      kind: "group",
      title: null,
      data: { order: "A-17", lines: [1.5, null, { deep: true }] },
      image_url: "https://images.example/a.png",
      settings: { reactions: "one" },
      permissions: { pin: "admin" },
    });
    expect(Object.keys(made.body.settings!)).toEqual(["reactions"]);
    expect(Object.keys(made.body.permissions!)).toEqual(["pin"]);
    expect(made.body).not.toHaveProperty("meta_rev");
    expect(await fetched(bob, made.body.id)).toEqual(made.body);
    const plain = await ann.startsGroup(bob);
    for (const key of ["data", "settings", "permissions", "meta_rev", "image_url", "external_id"]) {
      expect(plain).not.toHaveProperty(key);
    }
  });

  it("[CTR-ROL2] a change is one event with its rev, in sync and by if_rev", async () => {
    const { owner, moderator, group } = await cast();
    const session = await moderator.connects({ contract: "1.1" });
    const before = await fetched(owner, group.id);
    const changed = expectStatus(
      await patch(owner, group.id, { data: { a: 1, b: 2 }, settings: { frozen: true } }),
      200,
    );
    expect(changed).toMatchObject({ rev: before.rev + 1, meta_rev: before.rev + 1 });
    const event = await session.next("conversation_updated", ({ rev }) => rev === changed.rev);
    expect(event).toEqual(changed);
    const stale = await patch(owner, group.id, { title: "Late", if_rev: 1 });
    expect(expectRefusal(stale, "conflict").details).toEqual({ meta_rev: changed.meta_rev });
    const again = await patch(owner, group.id, {
      data: { a: null },
      settings: { frozen: null },
      if_rev: changed.meta_rev,
    });
    expect(again.body).toMatchObject({ data: { b: 2 } });
    expect(again.body).not.toHaveProperty("settings");
    const synced = await session.syncs({ [group.id]: before.rev });
    const [mine] = synced.conversations.filter((one) => one.conversation_id === group.id);
    expect(mine?.conversation).toEqual(again.body);
    const same = await patch(owner, group.id, { data: { b: 2 } });
    expect(same.body.rev).toBe(again.body.rev);
  });

  it("[CTR-ROL3] what is not in its bounds is invalid_payload", async () => {
    const { owner, group } = await cast();
    for (const body of [
      { data: [] },
      { data: { "": 1 } },
      { data: { a: { b: { c: { d: { e: { f: {} } } } } } } },
      { data: { text: "x".repeat(4_090) } },
      { settings: { join: "closed" } },
      { settings: { slow_mode_s: 21_601 } },
      { settings: { retention_s: 10 } },
      { settings: { unknown: 1 } },
      { permissions: { send: "everybody" } },
      { permissions: { fly: "owner" } },
      { image_url: "http://images.example/a.png" },
      { image_url: "https://" },
      { image_url: "javascript:alert(1)" },
      { if_rev: 0 },
      { kind: "group" },
    ]) {
      expectRefusal(await patch(owner, group.id, body), "invalid_payload");
    }
    expectRefusal(await patchMember(owner, group.id, owner, { role: "king" }), "invalid_payload");
    const late = { silenced_until: "2026-13-41T00:00:00.000Z" };
    expectRefusal(await patchMember(owner, group.id, owner, late), "invalid_payload");
  });
});

describe("roles", () => {
  it("[CTR-ROL4] members show their role; one acts below one's own only", async () => {
    const { owner, moderator, member, group } = await cast();
    const shown = await fetched(member, group.id);
    expect(rolesIn(shown)).toEqual({ [moderator.id]: "moderator" });
    expectRefusal(await patch(member, group.id, { settings: { frozen: true } }), "forbidden");
    expectRefusal(await patchMember(moderator, group.id, member, { role: "reader" }), "forbidden");
    expectRefusal(await patchMember(member, group.id, owner, { role: "reader" }), "forbidden");
    expectRefusal(await patchMember(owner, group.id, owner, { role: "admin" }), "forbidden");
    const [stranger] = (await troupe().users("stranger")) as [Person];
    expectRefusal(await patchMember(stranger, group.id, member, { role: "reader" }), "not_found");
    expectRefusal(await patchMember(owner, group.id, stranger, { role: "reader" }), "not_found");
    await gives(owner, group.id, moderator, { role: "admin" });
    const path = `/api/conversations/${group.id}/members/${member.id}`;
    expectRefusal(await member.api.delete(`${path.replace(member.id, owner.id)}`), "forbidden");
    expect((await moderator.api.delete(path)).status).toBe(204);
  });

  it("[CTR-ROL5] ownership is given away, and goes to the highest role when its owner leaves", async () => {
    const { owner, moderator, member, group } = await cast();
    const given = await gives(owner, group.id, member, { role: "owner" });
    expect(given.owner_id).toBe(member.id);
    expect(rolesIn(given)).toEqual({ [owner.id]: "admin", [moderator.id]: "moderator" });
    const path = `/api/conversations/${group.id}/members/${member.id}`;
    expect((await member.api.delete(path)).status).toBe(204);
    const left = await fetched(moderator, group.id);
    expect(left.owner_id).toBe(owner.id);
    expect(rolesIn(left)).toEqual({ [moderator.id]: "moderator" });
  });

  it("[CTR-ROL6] the silenced are told until when, in every way of speaking", async () => {
    const { moderator, member, group } = await cast();
    const until = new Date(Date.now() + 60_000).toISOString();
    await gives(moderator, group.id, member, { silenced_until: until });
    expect(expectRefusal(await sends(member, group.id), "forbidden").details).toEqual({ until });
    const session = await member.connects();
    const payload = { conversation_id: group.id, client_id: "c", body: "hi" };
    expect(await session.isRefused("send_message", payload)).toMatchObject({ details: { until } });
    const typing = { conversation_id: group.id, is_typing: true };
    expect((await session.isRefused("typing", typing)).code).toBe("forbidden");
    await gives(moderator, group.id, member, { silenced_until: null });
    expect((await sends(member, group.id)).status).toBe(201);
  });

  it("[CTR-ROL7] frozen, and slow mode", async () => {
    const { owner, moderator, member, group } = await cast();
    expectStatus(await patch(owner, group.id, { settings: { frozen: true } }), 200);
    expectRefusal(await sends(member, group.id), "forbidden");
    expect((await sends(moderator, group.id)).status).toBe(201);
    const slow = { settings: { frozen: false, slow_mode_s: 60 } };
    expectStatus(await patch(owner, group.id, slow), 200);
    expect((await sends(member, group.id)).status).toBe(201);
    const refused = expectRefusal(await sends(member, group.id), "rate_limited");
    expect(refused.retry_after_ms).toBeGreaterThan(50_000);
    expect(refused.retry_after_ms).toBeLessThanOrEqual(60_000);
    expect((await sends(moderator, group.id)).status).toBe(201);
    expect((await sends(moderator, group.id)).status).toBe(201);
  });
});
