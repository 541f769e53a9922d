/** Groups of 1,000 members on two workers: what they push, and whom they leave in peace. */
import { describe, expect, it } from "vitest";
import type { ListPage } from "../../src/ports/social.ts";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Conversation, Member } from "../../src/protocol/schemas.ts";
import { type Crowd, gather } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus } from "../support/person.ts";
import { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const GROUPS = 20;
const READERS = 50;
const TITLES = 100;

const troupe = troupeForFile({
  workers: 2,
  env: {
    RATE_LIMIT_ADD: "off",
    RATE_LIMIT_CREATE: "off",
    RATE_LIMIT_CHANGE: "off",
    RATE_LIMIT_CONVERSATION_CHANGE: "off",
  },
});

let crowd: Crowd | null = null;
const thousand = async () => {
  crowd ??= await gather(troupe(), 1_000);
  return crowd.members;
};

const created = async (
  owner: Crowd["members"][number],
  others: Crowd["members"],
  title: string,
) => {
  const member_ids = others.map(({ id }) => id);
  const answer = await owner.api.post<Conversation>("/api/conversations", { member_ids, title });
  return expectStatus(answer, 201);
};

describe("a group of 1,000", () => {
  it("[LGR1] 20 made at once end no worker, and a bystander is served", async () => {
    const [owner, ...others] = await thousand();
    const { workers } = troupe().pids();
    const bystander = await troupe().user("bystander");
    const session = await bystander.connects();
    let isDone = false;
    const served = (async () => {
      let count = 0;
      while (!isDone) {
        expectStatus(await bystander.api.get("/api/me"), 200);
        count++;
      }
      return count;
    })();
    const groups = await Promise.all(
      Array.from({ length: GROUPS }, (_, n) => created(owner!, others, `Group ${n}`)),
    );
    isDone = true;
    expect(await served).toBeGreaterThan(0);
    for (const group of groups) {
      expect(group.members).toHaveLength(100);
      expect(group.member_count).toBe(1_000);
    }
    expect(troupe().pids().workers).toEqual(workers);
    expect(session.isConnected).toBe(true);

    const list = expectStatus(
      await owner!.api.get<ListPage<ConversationSummary>>("/api/conversations?limit=100"),
      200,
    );
    expect(list.items).toHaveLength(GROUPS);
    for (const { members, members_partial, member_count } of list.items) {
      expect({ members, members_partial, member_count }).toEqual({
        members: [{ user_id: owner!.id, delivered_seq: 0, read_seq: 0 }],
        members_partial: true,
        member_count: 1_000,
      });
    }
  });

  it("[LGR2] 100 titles at once push little to its readers, and end nobody", async () => {
    const [owner, ...others] = await thousand();
    const group = await created(owner!, others, "Busy");
    const readers = await Promise.all(
      others
        .slice(0, READERS)
        .map(({ id, token }) => Session.open(troupe(), `reader ${id}`, { token })),
    );
    const updates = (session: Session) =>
      session.record.filter((one) => one.name === "conversation_updated");
    const answers = await Promise.all(
      Array.from({ length: TITLES }, (_, n) =>
        owner!.api.patch<Conversation>(`/api/conversations/${group.id}`, { title: `Title ${n}` }),
      ),
    );
    const revs = answers.map((answer) => expectStatus(answer, 200).rev);
    const newest = Math.max(...revs);
    await eventually("every reader has the newest title", () =>
      readers.every((reader) =>
        updates(reader).some(({ payload }) => (payload as Conversation).rev === newest),
      ),
    );
    const pushed = readers
      .flatMap(updates)
      .reduce((sum, { payload }) => sum + JSON.stringify(payload).length, 0);
    expect(pushed).toBeLessThan(2_000_000);
    expect(new Set(revs).size).toBeLessThan(10);
    expect(readers.every((reader) => reader.isConnected)).toBe(true);
    expect(updates(readers[0]!).at(-1)?.payload).toMatchObject({
      members: [],
      members_partial: true,
      member_count: 1_000,
    });
  });

  it("[LGR3] who comes and who goes is named to all, and the pages hold the rest", async () => {
    const [owner, ...others] = await thousand();
    const group = await created(owner!, others.slice(0, 150), "Growing");
    const [stays, goes, comes] = [others[0]!, others[1]!, others[200]!];
    const open = ({ id, token }: Crowd["members"][number]) =>
      Session.open(troupe(), `member ${id}`, { token });
    const [staying, going, coming] = [await open(stays), await open(goes), await open(comes)];
    const path = `/api/conversations/${group.id}/members`;
    const added = await owner!.api.post<Conversation>(path, { user_ids: [comes.id] });
    expect(expectStatus(added, 200)).toMatchObject({ member_count: 152 });
    const news = { id: group.id, rev: 2, member_count: 152, members_partial: true };
    const newcomer = [{ user_id: comes.id, delivered_seq: 0, read_seq: 0 }];
    for (const session of [staying, going, coming]) {
      const payload = await session.next("conversation_updated");
      expect(payload).toMatchObject({ ...news, members: newcomer });
    }
    expectStatus(await goes.api.delete(`${path}/${goes.id}`), 204);
    for (const session of [staying, going, coming]) {
      const payload = await session.next("conversation_updated");
      expect(payload).toMatchObject({
        members: [],
        removed_user_ids: [goes.id],
        member_count: 151,
      });
    }
    const all: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const page: ListPage<Member> = expectStatus(
        await comes.api.get<ListPage<Member>>(`${path}?limit=100${query}`),
        200,
      );
      all.push(...page.items.map(({ user_id }) => user_id));
      cursor = page.next_cursor;
    }
    const expected = [owner!, ...others.slice(0, 150), comes].filter((one) => one !== goes);
    expect(all).toEqual(expected.map(({ id }) => id));
    expect((await goes.api.get(path)).status).toBe(404);
    crowd?.agent.destroy();
  });
});
