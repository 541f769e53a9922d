/** Scheduled messages from outside. */
import { beforeAll, describe, expect, it } from "vitest";
import type { ListPage } from "../../src/ports/social.ts";
import type { Scheduled } from "../../src/protocol/scheduled-routes.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });

let ann: Person;
let bob: Person;
let group: Conversation;

beforeAll(async () => {
  [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
  group = await ann.startsGroup(bob);
});

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
const schedules = (person: Person, ms: number, more: object = {}) =>
  person.api.post<Scheduled>(`/api/conversations/${group.id}/scheduled`, {
    send_at: inMs(ms),
    client_id: person.nextClientId(),
    body: "later",
    ...more,
  });

describe("a scheduled message", () => {
  it("[SCH-M1] is sent within 2 s of its time, in order, and is gone then", async () => {
    const session = await bob.connects({ contract: "1.1" });
    const second = expectStatus(await schedules(ann, 1_600, { body: "second" }), 201);
    const first = expectStatus(
      await schedules(ann, 1_200, { body: "first", type: "note", data: { a: 1 } }),
      201,
    );
    expect(first).toMatchObject({ conversation_id: group.id, type: "note", data: { a: 1 } });
    const list = expectStatus(
      await ann.api.get<ListPage<Scheduled>>(`/api/scheduled?conversation_id=${group.id}`),
      200,
    );
    expect(list.items.map(({ id }) => id)).toEqual([first.id, second.id]);
    const sent: Message[] = [await session.next("message"), await session.next("message")];
    expect(sent.map(({ body }) => body)).toEqual(["first", "second"]);
    expect(sent[0]).toMatchObject({ client_id: first.client_id, type: "note", data: { a: 1 } });
    for (const [n, item] of [first, second].entries()) {
      const lateMs = Date.parse(sent[n]!.created_at) - Date.parse(item.send_at);
      expect(lateMs).toBeGreaterThanOrEqual(0);
      expect(lateMs).toBeLessThan(2_000);
    }
    await eventually("they are scheduled no more", async () => {
      const { status } = await ann.api.get(`/api/scheduled/${second.id}`);
      return status === 404;
    });
    const repeated = await schedules(ann, 60_000, { client_id: first.client_id });
    expect([repeated.status, repeated.body.id]).toEqual([200, sent[0]!.id]);
  });

  it("[SCH-M2] can be changed and taken back, by its sender alone", async () => {
    const item = expectStatus(await schedules(ann, 3_600_000), 201);
    const path = `/api/scheduled/${item.id}`;
    const again = await schedules(ann, 7_200_000, { client_id: item.client_id });
    expect([again.status, again.body]).toEqual([200, item]);
    expect((await bob.api.get(path)).status).toBe(404);
    expect((await bob.api.patch(path, { body: "x" })).status).toBe(404);
    const send_at = inMs(7_200_000);
    const changed = expectStatus(
      await ann.api.patch<Scheduled>(path, { send_at, body: "new", data: { b: 2 } }),
      200,
    );
    expect(changed).toEqual({ ...item, send_at, body: "new", data: { b: 2 } });
    expect((await ann.api.patch(path, {})).status).toBe(400);
    expect((await ann.api.delete(path)).status).toBe(204);
    expect((await ann.api.delete(path)).status).toBe(404);
    expect((await schedules(ann, 121 * 86_400_000)).status).toBe(400);
    expect((await schedules(ann, 1_000, { body: undefined })).status).toBe(400);
  });

  it("[SCH-M3] waits for slow mode, and a final refusal is a notification", async () => {
    const set = (settings: object) => ann.api.patch(`/api/conversations/${group.id}`, { settings });
    expect((await set({ slow_mode_s: 3 })).status).toBe(200);
    const session = await ann.connects({ contract: "1.1" });
    const sent = await bob.posts(group.id, "now");
    expectStatus(await schedules(bob, 100, { body: "slowly" }), 201);
    const slow = await session.next("message", ({ body }) => body === "slowly");
    const apartMs = Date.parse(slow.created_at) - Date.parse(sent.created_at);
    expect(apartMs).toBeGreaterThanOrEqual(2_900);
    expect((await set({ slow_mode_s: 0, frozen: true })).status).toBe(200);
    const bobs = await bob.connects({ contract: "1.1" });
    const item = expectStatus(await schedules(bob, 100, { body: "never" }), 201);
    const notice = await bobs.next("notification", ({ type }) => type === "scheduled_failed");
    expect(notice.data).toEqual({
      conversation_id: group.id,
      scheduled_id: item.id,
      client_id: item.client_id,
      code: "forbidden",
    });
    expect(session.heard("message").map(({ body }) => body)).not.toContain("never");
    await eventually("it is scheduled no more", async () => {
      return (await bob.api.get(`/api/scheduled/${item.id}`)).status === 404;
    });
  });

  it("[SCH-M4] shows the files that were named last", async () => {
    const [first, second] = [
      await ann.uploads("one", "one.txt"),
      await ann.uploads("two", "two.txt"),
    ];
    const files = (...of: { id: string }[]) => of.map(({ id }) => ({ file_id: id }));
    const item = expectStatus(
      await schedules(ann, 3_600_000, { body: "", attachments: files(first) }),
      201,
    );
    expect(item).toMatchObject({ attachments: files(first) });
    const path = `/api/scheduled/${item.id}`;
    expect((await ann.api.patch(path, { attachments: [] })).status, "nothing is left").toBe(400);
    const session = await bob.connects({ contract: "1.1" });
    const changed = expectStatus(
      await ann.api.patch<Scheduled>(path, {
        attachments: files(second, second),
        send_at: inMs(0),
      }),
      200,
    );
    expect(changed.attachments).toEqual(files(second));
    const sent = await session.next("message", ({ client_id }) => client_id === item.client_id);
    expect(sent.attachments).toMatchObject([{ id: second.id, name: "two.txt" }]);
  });
});
