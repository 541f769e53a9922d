/** [MSR] The search of messages from outside. */
import { beforeAll, describe, expect, it } from "vitest";
import type { RouteAnswer } from "../../src/protocol/routes.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

type Page = RouteAnswer<"searchMessages">["body"];

const troupe = troupeForFile({ env: { RATE_LIMIT_SEARCH: "500/s" } });

let ann: Person;
let bob: Person;
let group: Conversation;

beforeAll(async () => {
  [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
  group = await ann.startsGroup(bob);
});

async function searches(person: Person, q: string, more = ""): Promise<Page> {
  const path = `/api/search/messages?q=${encodeURIComponent(q)}${more}`;
  return expectStatus(await person.api.get<Page>(path), 200);
}
/** The bodies that a person finds once the index has everything of theirs. */
async function finds(person: Person, q: string, more = ""): Promise<string[]> {
  await knowsAll(person);
  return (await searches(person, q, more)).items.map(({ message }) => message.body);
}
const knowsAll = (person: Person) =>
  eventually("the index has everything", async () => {
    return (await searches(person, "anything")).behind_ms === 0;
  });
const path = (message: Message) =>
  `/api/conversations/${message.conversation_id}/messages/${message.seq}`;

describe("the search of messages", () => {
  it("[MSR1] finds words, phrases and parts of words in scripts without spaces, newest first", async () => {
    await ann.posts(group.id, "Meet me at the Café Größenwahn");
    await bob.posts(group.id, "which cafe do you mean?");
    for (const body of ["我们明天去北京吧", "東京タワーで会いましょう", "한국어를 배우고 있어요"]) {
      await ann.posts(group.id, body);
    }
    await ann.posts(group.id, "สวัสดีครับ ยินดีต้อนรับ");
    expect(await finds(bob, "cafe")).toEqual([
      "which cafe do you mean?",
      "Meet me at the Café Größenwahn",
    ]);
    expect(await finds(bob, "CAFÉ grossen")).toEqual(["Meet me at the Café Größenwahn"]);
    expect(await finds(bob, '"do you" -tea')).toEqual(["which cafe do you mean?"]);
    expect(await finds(bob, "cafe -meet")).toEqual(["which cafe do you mean?"]);
    expect(await finds(bob, '"you do"')).toEqual([]);
    expect(await finds(bob, "北京")).toEqual(["我们明天去北京吧"]);
    expect(await finds(bob, "明天去")).toEqual(["我们明天去北京吧"]);
    expect(await finds(bob, "タワー")).toEqual(["東京タワーで会いましょう"]);
    expect(await finds(bob, "국어")).toEqual(["한국어를 배우고 있어요"]);
    expect(await finds(bob, "ดีต้อน")).toEqual(["สวัสดีครับ ยินดีต้อนรับ"]);
    const { items } = await searches(bob, "tower OR 東京");
    expect(items).toEqual([]);
    expect((await searches(bob, "京タ")).items[0]?.ranges).toEqual([[1, 3]]);
  });

  it("[MSR2] takes filters by conversation, sender, time and attachments", async () => {
    const other = await ann.startsGroup(bob);
    const mine = await ann.posts(group.id, "filtered by ann");
    const theirs = await bob.posts(group.id, "filtered by bob");
    await bob.posts(other.id, "filtered elsewhere");
    const file = await ann.uploads("some bytes");
    await ann.posts(other.id, "filtered with a file", [file]);
    const by = (more: string) => finds(ann, "filtered", more);
    expect(await by("")).toHaveLength(4);
    expect(await by(`&conversation_id=${group.id}`)).toEqual([
      "filtered by bob",
      "filtered by ann",
    ]);
    expect(await by(`&sender_id=${bob.id}`)).toEqual(["filtered elsewhere", "filtered by bob"]);
    expect(await by("&has=attachment")).toEqual(["filtered with a file"]);
    expect(await by(`&conversation_id=${group.id}&after=${mine.created_at}`)).toEqual([
      "filtered by bob",
    ]);
    expect(await by(`&before=${theirs.created_at}`)).toEqual(["filtered by ann"]);
  });

  it("[MSR3] pages give every message once, newest first, over several conversations", async () => {
    const other = await bob.startsGroup(ann);
    const sent: string[] = [];
    for (let n = 0; n < 150; n++) {
      await bob.posts(n % 3 === 0 ? other.id : group.id, `paged ${n}`);
      sent.unshift(`paged ${n}`);
    }
    await knowsAll(ann);
    const found: string[] = [];
    let more = "&limit=20";
    for (;;) {
      const page = await searches(ann, "paged", more);
      expect(page.items.length).toBeLessThanOrEqual(20);
      found.push(...page.items.map(({ message }) => message.body));
      if (page.next_cursor === null) break;
      more = `&limit=20&cursor=${page.next_cursor}`;
    }
    expect(found).toEqual(sent);
  });

  it("[MSR4] an edit, a deletion, an expiry and a departure hold from their answer on", async () => {
    const conversation = await ann.startsGroup(bob);
    const [edited, deleted, kept] = [
      await ann.posts(conversation.id, "vanishing first"),
      await ann.posts(conversation.id, "vanishing second"),
      await ann.posts(conversation.id, "vanishing third"),
    ];
    const expiring = expectStatus(
      await ann.api.post<Message>(`/api/conversations/${conversation.id}/messages`, {
        client_id: ann.nextClientId(),
        body: "vanishing soon",
        expire_in_s: 5,
      }),
      201,
    );
    expect(await finds(bob, "vanishing")).toHaveLength(4);
    const now = async (person: Person) =>
      (await searches(person, "vanishing")).items.map(({ message }) => message.body);
    expectStatus<unknown>(await ann.api.delete(path(deleted)), 200);
    expect(await now(bob)).not.toContain(deleted.body);
    expectStatus<unknown>(await ann.api.patch(path(edited), { body: "staying" }), 200);
    expect(await now(bob)).not.toContain("vanishing first");
    expect(await finds(bob, "staying")).toEqual(["staying"]);
    expect(await now(bob)).toContain(expiring.body);
    await eventually(
      "its time has come",
      () => Date.now() > Date.parse(expiring.expires_at ?? ""),
      10_000,
    );
    expect(await now(bob)).not.toContain(expiring.body);
    expect(await now(bob)).toContain(kept.body);
    const membership = `/api/conversations/${conversation.id}/members/${bob.id}`;
    expectStatus<unknown>(await ann.api.delete(membership), 204);
    expect(await now(bob)).toEqual([]);
    expect(await finds(bob, "vanishing", `&conversation_id=${conversation.id}`)).toEqual([]);
    expect(await now(ann)).toContain(kept.body);
    expectStatus<unknown>(await ann.api.delete(`/api/conversations/${conversation.id}`), 204);
    expect(await now(ann)).toEqual([]);
  });

  it("[MSR5] what is cleared or from before one joined is in no answer, and strangers find nothing", async () => {
    const [cat] = (await troupe().users("cat")) as [Person];
    const conversation = expectStatus(
      await ann.api.post<Conversation>("/api/conversations", {
        member_ids: [bob.id],
        title: "With a history",
      }),
      201,
    );
    expectStatus<unknown>(
      await ann.api.patch(`/api/conversations/${conversation.id}`, {
        settings: { history: "joined" },
      }),
      200,
    );
    await ann.posts(conversation.id, "historic one");
    const second = await ann.posts(conversation.id, "historic two");
    expect(await finds(cat, "historic")).toEqual([]);
    expectStatus<unknown>(
      await ann.api.post(`/api/conversations/${conversation.id}/members`, { user_ids: [cat.id] }),
      200,
    );
    await ann.posts(conversation.id, "historic three");
    expect(await finds(cat, "historic")).toEqual(["historic three"]);
    expectStatus<unknown>(
      await bob.api.patch(`/api/conversations/${conversation.id}/prefs`, {
        cleared_before_seq: second.seq,
      }),
      200,
    );
    expect(await finds(bob, "historic")).toEqual(["historic three", "historic two"]);
    expect(await finds(ann, "historic")).toHaveLength(3);
  });

  it("[MSR6] threads that one may read are searched", async () => {
    const root = await ann.posts(group.id, "the root");
    const thread = expectStatus(await ann.api.post<Conversation>(`${path(root)}/thread`), 201);
    const reply = await ann.posts(thread.id, "deep in a thread");
    expect(await finds(bob, "deep thread")).toEqual([reply.body]);
    expect(await finds(bob, "deep thread", `&conversation_id=${thread.id}`)).toEqual([reply.body]);
    const [dan] = (await troupe().users("dan")) as [Person];
    expect(await finds(dan, "deep thread")).toEqual([]);
  });

  it("[MSR7] refuses what names no word, and cursors of other lists", async () => {
    const status = async (query: string) =>
      (await ann.api.get(`/api/search/messages${query}`)).status;
    expect(await status("")).toBe(400);
    expect(await status("?q=-not")).toBe(400);
    expect(await status("?q=%21%21")).toBe(400);
    expect(await status(`?q=${"x".repeat(201)}`)).toBe(400);
    expect(await status("?q=x&cursor=abc")).toBe(400);
    expect(await status("?q=x&before=yesterday")).toBe(400);
    expect(await status("?q=x&has=link")).toBe(400);
    expect(await status(`?q=${"%F0%9F%98%80".repeat(200)}`)).toBe(200);
  });
});

describe("one account that searches flat out", () => {
  const limited = troupeForFile({ env: { RATE_LIMIT_SEARCH: "1/min burst 3", RATE_LIMITS: "on" } });

  it("[MSR9] is refused past RATE_LIMIT_SEARCH, and others are not", async () => {
    const [fay, gus] = (await limited().users("fay", "gus")) as [Person, Person];
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++) {
      statuses.push((await fay.api.get("/api/search/messages?q=x")).status);
    }
    expect(statuses.slice(0, 3)).toEqual([200, 200, 200]);
    expect(statuses.at(-1)).toBe(429);
    expect((await gus.api.get("/api/search/messages?q=x")).status).toBe(200);
  });
});

describe("with SEARCH=off", () => {
  const without = troupeForFile({ env: { SEARCH: "off" } });

  it("[MSR8] a search is unavailable and nothing is fed", async () => {
    const [eve] = (await without().users("eve")) as [Person];
    const answer = await eve.api.get<{ error: { code: string } }>("/api/search/messages?q=x");
    expect([answer.status, answer.body.error.code]).toEqual([503, "unavailable"]);
  });
});
