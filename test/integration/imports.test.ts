/**
 * [IMX] Imports, from outside: what a file brings is there, all of it or nothing, once.
 *
 * [IMX1] Every type of line is imported, with its given times, and reads, counts and reactions are right.
 * [IMX2] A file with a wrong line writes nothing, and every error names its line.
 * [IMX3] The same file again changes nothing, and a longer one adds what is new.
 * [IMX8] A second file of the same conversation loses none of its messages, though they have no names;
 *        where nobody can tell whether a message is a new one, that is a conflict.
 * [IMX4] Nothing is written into a conversation that others have written.
 * [IMX5] Imported users sign in with their old passwords, whose hashes are replaced.
 * [IMX6] No event comes of an import.
 * [IMX7] What `troupe export --all` makes is taken back whole.
 */
import { execFile } from "node:child_process";
import { randomBytes, scryptSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { describe, expect, it } from "vitest";
import type { Conversation, Message, User } from "../../src/protocol/schemas.ts";
import type { Post } from "../../src/protocol/social.ts";
import { createRecount } from "../../src/storage/postgres/recount.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { rowsOf } from "../support/dump.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal } from "../support/expectations.ts";
import { imports, linesOf } from "../support/imports.ts";
import { expectStatus, type Login, PASSWORD, Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const CLI = fileURLToPath(new URL("../../dist/src/cli.js", import.meta.url));
const T = (minute: number) => new Date(Date.UTC(2024, 0, 1, 0, minute)).toISOString();

type Line = Record<string, unknown>;

function phc(password: string): string {
  const salt = randomBytes(16);
  const key = scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 });
  const text = (bytes: Buffer) => bytes.toString("base64").replace(/=+$/, "");
  return `$scrypt$ln=10,r=8,p=1$${text(salt)}$${text(key)}`;
}

const scene = (tag: string): Line[] => [
  {
    type: "user",
    external_id: `${tag}:ann`,
    username: `${tag}_ann`,
    display_name: "Ann",
    password_hash: phc(PASSWORD),
    created_at: T(0),
    data: { level: 3 },
  },
  { type: "user", external_id: `${tag}:bob`, username: `${tag}_bob`, created_at: T(1) },
  { type: "user", external_id: `${tag}:cat` },
  {
    type: "conversation",
    external_id: `${tag}:room`,
    kind: "group",
    title: "A room",
    owner: `${tag}:ann`,
    created_at: T(2),
    data: { topic: "x" },
  },
  {
    type: "conversation",
    external_id: `${tag}:dm`,
    kind: "direct",
    members: [`${tag}:ann`, `${tag}:bob`],
  },
  {
    type: "member",
    conversation: `${tag}:room`,
    user: `${tag}:ann`,
    role: "owner",
    joined_at: T(2),
  },
  { type: "member", conversation: `${tag}:room`, user: `${tag}:bob`, role: "moderator", read: 2 },
  { type: "member", conversation: `${tag}:room`, user: `${tag}:cat`, read: 0 },
  {
    type: "message",
    conversation: `${tag}:room`,
    sender: `${tag}:ann`,
    external_id: "m1",
    body: "one",
    created_at: T(3),
  },
  {
    type: "message",
    conversation: `${tag}:room`,
    sender: `${tag}:bob`,
    external_id: "m2",
    body: "two",
    reply_to_seq: 1,
    created_at: T(4),
    edited_at: T(5),
  },
  {
    type: "message",
    conversation: `${tag}:room`,
    message_type: "system",
    external_id: "m3",
    data: { event: "moved" },
    created_at: T(6),
  },
  {
    type: "message",
    conversation: `${tag}:room`,
    sender: `${tag}:ann`,
    external_id: "m4",
    body: "four",
    data: { a: [1] },
    pinned_at: T(8),
    created_at: T(7),
  },
  {
    type: "message",
    conversation: `${tag}:dm`,
    sender: `${tag}:bob`,
    body: "psst",
    created_at: T(9),
  },
  {
    type: "reaction",
    conversation: `${tag}:room`,
    seq: 1,
    user: `${tag}:bob`,
    key: "👍",
    created_at: T(9),
  },
  {
    type: "reaction",
    conversation: `${tag}:room`,
    seq: 1,
    user: `${tag}:cat`,
    key: "👍",
    created_at: T(10),
  },
  { type: "follow", follower: `${tag}:bob`, followee: `${tag}:ann`, created_at: T(11) },
  { type: "block", blocker: `${tag}:cat`, blocked: `${tag}:bob`, created_at: T(12) },
  {
    type: "post",
    external_id: `${tag}:p1`,
    author: `${tag}:ann`,
    body: "a post",
    created_at: T(13),
  },
  {
    type: "comment",
    post_id: `${tag}:p1`,
    author: `${tag}:bob`,
    body: "a comment",
    created_at: T(14),
  },
  { type: "like", post_id: `${tag}:p1`, user: `${tag}:bob`, created_at: T(15) },
];

async function signsIn(troupe: Troupe, username: string): Promise<Person> {
  const body = { username, password: PASSWORD };
  return Person.of(
    troupe,
    expectStatus(await troupe.http.post<Login>("/api/auth/login", body), 200),
  );
}

/** Everything that an import may have written. */
async function written(troupe: Troupe): Promise<string[]> {
  const rows = await rowsOf(troupe.databaseUrl!);
  const tables =
    /^(users|conversations|conversation_members|messages|message_reactions|posts|comments|likes|follows|blocks): /;
  return rows.filter((row) => tables.test(row)).sort();
}

describe("imports", () => {
  const troupe = troupeForFile({ workers: 1, env: { RATE_LIMITS: "off", EVENTS: "on" } });
  const service = () => Service.of(troupe(), "import", "act", "users", "events");

  it("[IMX1] [IMX5] [IMX6] all types of lines, the old password, and no event", async () => {
    const shop = await service();
    const job = await imports(shop, linesOf(scene("a")));
    expect(job).toMatchObject({
      kind: "import",
      state: "done",
      result: { users: 3, conversations: 2, messages: 5 },
    });
    const ann = await signsIn(troupe(), "a_ann");
    expect(ann.user).toMatchObject({ display_name: "Ann", data: { level: 3 }, created_at: T(0) });
    const { items } = expectStatus(
      await ann.api.get<{ items: (Conversation & { unread_count: number })[] }>(
        "/api/conversations",
      ),
      200,
    );
    const room = items.find(({ kind }) => kind === "group")!;
    const direct = items.find(({ kind }) => kind === "direct")!;
    expect(room).toMatchObject({
      title: "A room",
      last_seq: 4,
      last_n: 3,
      rev: 5,
      created_at: T(2),
    });
    expect(room).toMatchObject({ owner_id: ann.id, data: { topic: "x" }, unread_count: 0 });
    expect(direct).toMatchObject({ unread_count: 1 });
    const history = await ann.reads(room.id);
    expect(history.map(({ body, created_at }) => [body, created_at])).toEqual([
      ["one", T(3)],
      ["two", T(4)],
      ["", T(6)],
      ["four", T(7)],
    ]);
    expect(history[0]!.reactions).toMatchObject([{ key: "👍", count: 2 }]);
    expect(history[1]).toMatchObject({ reply_to_seq: 1, edited_at: T(5) });
    expect(history[2]).toMatchObject({ type: "system", sender_id: null, n: 2 });
    expect(history[3]).toMatchObject({ data: { a: [1] }, pinned_at: T(8), n: 3 });
    // With the scope `act` the service looks as Bob, who has read two of three.
    const asBob = { headers: { "troupe-act-as": "external:a:bob" } };
    const bobs = await shop.api.get<{ items: { id: string; unread_count: number }[] }>(
      "/api/conversations",
      asBob,
    );
    const seen = expectStatus(bobs, 200).items.find(({ id }) => id === room.id);
    expect(seen).toMatchObject({ unread_count: 1, read_seq: 2 });
    const post = (await ann.lists<Post>(`/api/users/${ann.id}/posts`))[0]!;
    expect(post).toMatchObject({
      body: "a post",
      like_count: 1,
      comment_count: 1,
      created_at: T(13),
    });
    expect(await createRecount(troupe().databaseUrl!).recount(false)).toEqual([]);
    const events = await shop.api.get<{ items: unknown[] }>("/api/events?after=oldest");
    expect(expectStatus(events, 200).items).toEqual([]);
    const sql = new Client(troupe().databaseUrl!);
    await sql.connect();
    const hash = await sql.query("SELECT password_hash FROM users WHERE username = 'a_ann'");
    await sql.end();
    expect(hash.rows[0].password_hash).toMatch(/^scrypt\$/);
    expect((await ann.posts(room.id, "five")).seq).toBe(5);
  });

  it("[IMX5] bcrypt and argon2, too; a hash that cannot be verified is a wrong line", async () => {
    const shop = await service();
    const [bcrypt, argon2] = await Promise.all([
      import("@node-rs/bcrypt").then(({ hash }) => hash(PASSWORD, 4)),
      import("@node-rs/argon2").then(({ hash }) => hash(PASSWORD, { memoryCost: 1024 })),
    ]);
    const lines = [
      { type: "user", external_id: "h:1", username: "h_bcrypt", password_hash: bcrypt },
      { type: "user", external_id: "h:2", username: "h_argon2", password_hash: argon2 },
    ];
    expect(await imports(shop, linesOf(lines))).toMatchObject({ state: "done" });
    for (const name of ["h_bcrypt", "h_argon2"]) {
      const wrong = { username: name, password: "not the right one" };
      expectRefusal(await troupe().http.post("/api/auth/login", wrong), "unauthorized");
      await signsIn(troupe(), name);
      await signsIn(troupe(), name);
    }
    const heavy = "$argon2id$v=19$m=4194304,t=3,p=4$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g";
    const job = await imports(
      shop,
      linesOf([{ ...lines[0]!, external_id: "h:3", username: "h_3", password_hash: heavy }]),
    );
    expect(job).toMatchObject({ state: "failed", error: { code: "invalid_payload" } });
  });

  it("[IMX2] a wrong line anywhere writes nothing, and each has its number", async () => {
    const shop = await service();
    const before = await written(troupe());
    const wrong = await imports(
      shop,
      `${linesOf(scene("w"))}not json\n{"type":"message"}\n{"type":"song"}\n`,
    );
    expect(wrong).toMatchObject({ state: "failed", error: { code: "invalid_payload" } });
    const details = wrong.error!.details as { line: number; problem: string }[];
    expect(details.map(({ line }) => line)).toEqual([21, 22, 23]);
    const room = { conversation: "w:room" };
    const among: Line[] = [
      ...scene("w"),
      { type: "user", external_id: "w:ann" },
      { type: "user", external_id: "w:dan", username: "w_bob" },
      { type: "message", ...room, sender: "w:nobody", body: "x" },
      { type: "message", conversation: "w:none", sender: "w:ann", body: "x" },
      { type: "message", ...room, sender: "w:ann", body: "x", reply_to_seq: 99 },
      { type: "reaction", ...room, seq: 77, user: "w:ann", key: "👍" },
      { type: "conversation", external_id: "w:lonely", kind: "direct", members: ["w:ann"] },
      { type: "follow", follower: "w:ann", followee: "w:ann" },
      { type: "like", post_id: "w:p9", user: "w:ann" },
    ];
    const job = await imports(shop, linesOf(among));
    expect(job).toMatchObject({ state: "failed", error: { code: "invalid_payload" } });
    const found = job.error!.details as { line: number; problem: string }[];
    expect(new Set(found.map(({ line }) => line))).toEqual(
      new Set([21, 22, 23, 24, 25, 26, 27, 28, 29]),
    );
    const taken = await imports(
      shop,
      linesOf([{ type: "user", external_id: "w:x", username: "a_ann" }]),
    );
    expect(taken).toMatchObject({ state: "failed", error: { code: "conflict" } });
    expect(await written(troupe())).toEqual(before);
  });

  it("[IMX3] [IMX4] again it changes nothing, more is added, and what others wrote is a conflict", async () => {
    const shop = await service();
    const lines = scene("b");
    expect(await imports(shop, linesOf(lines))).toMatchObject({ state: "done" });
    const once = await written(troupe());
    expect(await imports(shop, linesOf(lines))).toMatchObject({ state: "done" });
    expect(await written(troupe())).toEqual(once);
    const more = {
      type: "message",
      conversation: "b:room",
      sender: "b:bob",
      external_id: "m5",
      body: "five",
    };
    expect(await imports(shop, linesOf([...lines, more]))).toMatchObject({ state: "done" });
    const ann = await signsIn(troupe(), "b_ann");
    const { items } = expectStatus(
      await ann.api.get<{ items: Conversation[] }>("/api/conversations?kind=group"),
      200,
    );
    expect((await ann.reads(items[0]!.id)).map(({ body }) => body)).toEqual([
      "one",
      "two",
      "",
      "four",
      "five",
    ]);
    await ann.posts(items[0]!.id, "a live one");
    const late = { ...more, external_id: "m6" };
    const job = await imports(shop, linesOf([...lines, late]));
    expect(job).toMatchObject({ state: "failed", error: { code: "conflict" } });
    expect(job.error!.message).toContain("b:room");
    expect(await createRecount(troupe().databaseUrl!).recount(false)).toEqual([]);
  });

  it("[IMX8] a second file of the same conversation loses no message that has no name", async () => {
    const shop = await service();
    const start = [
      { type: "user", external_id: "n:ann", username: "n_ann", password_hash: phc(PASSWORD) },
      { type: "conversation", external_id: "n:room", kind: "group", title: "N", owner: "n:ann" },
    ];
    const says = (body: string, minute?: number) => ({
      type: "message",
      conversation: "n:room",
      sender: "n:ann",
      body,
      ...(minute !== undefined && { created_at: T(minute) }),
    });
    const reply = { ...says("fine", 5), reply_to_seq: 2 };
    const first = [...start, says("ok", 1), says("ok", 1), says("and you?")];
    const second = [...start, says("ok", 4), says("how are you?", 5), reply, says("bye")];
    for (const lines of [first, first, second, second]) {
      expect(await imports(shop, linesOf(lines))).toMatchObject({ state: "done" });
    }
    const ann = await signsIn(troupe(), "n_ann");
    const { items } = expectStatus(
      await ann.api.get<{ items: Conversation[] }>("/api/conversations"),
      200,
    );
    const read = await ann.reads(items[0]!.id);
    expect(read.map(({ body }) => body)).toEqual([
      ...["ok", "ok", "and you?"],
      ...["ok", "how are you?", "fine", "bye"],
    ]);
    expect(read.at(-2)).toMatchObject({ reply_to_seq: 5 });
    const unclear = await imports(shop, linesOf([...start, says("bye"), says("again", 9)]));
    expect(unclear).toMatchObject({
      state: "failed",
      error: { code: "conflict", details: [{ line: 3 }] },
    });
    expect(unclear.error!.message).toContain("external_id");
    expect(await ann.reads(items[0]!.id)).toEqual(read);
  });

  it("[IMX2] refusals come before a job: no scope, an empty body, one that is too large", async () => {
    const other = await Service.of(troupe(), "export");
    const raw = { raw: "{}\n" };
    expectRefusal(await other.api.post("/api/imports", undefined, raw), "forbidden");
    const shop = await service();
    expectRefusal(await shop.api.post("/api/imports", undefined, { raw: "" }), "invalid_payload");
    const documents = expectStatus(
      await troupe().http.get<{ components: { schemas: Record<string, unknown> } }>(
        "/api/openapi.json",
      ),
      200,
    );
    for (const type of [
      "User",
      "Conversation",
      "Member",
      "Message",
      "Reaction",
      "Follow",
      "Block",
      "Post",
    ]) {
      expect(Object.keys(documents.components.schemas)).toContain(`Import${type}`);
    }
  });
});

describe("IMPORT_BYTES_MAX", () => {
  const troupe = troupeForFile({ workers: 1, env: { IMPORT_BYTES_MAX: "1000" } });

  it("[IMX2] bounds what is spooled, with a length and without", async () => {
    const shop = await Service.of(troupe(), "import");
    const body = linesOf(scene("c"));
    expectRefusal(
      await shop.api.post("/api/imports", undefined, { raw: body }),
      "payload_too_large",
    );
  });
});

describe("troupe import", () => {
  it("[IMX7] takes back what troupe export --all made, whole", async () => {
    const dir = await mkdtemp(join(tmpdir(), "troupe-import-"));
    const first = await startTroupe({ workers: 1, env: { RATE_LIMITS: "off" } });
    const second = await startTroupe({ workers: 1, env: { RATE_LIMITS: "off" } });
    try {
      const [ann, bob] = (await first.users("ann", "bob")) as [Person, Person];
      const group = await ann.startsGroup(bob);
      const direct = await bob.startsDirect(ann);
      for (const body of ["one", "two", "three"]) await ann.posts(group.id, body);
      await bob.posts(direct.id, "psst");
      await bob.api.put(`/api/conversations/${group.id}/messages/2/reactions/👍`);
      await ann.api.delete(`/api/conversations/${group.id}/messages/3`);
      const thread = expectStatus(
        await bob.api.post<Conversation>(`/api/conversations/${group.id}/messages/1/thread`),
        201,
      );
      await bob.posts(thread.id, "a reply");
      await eventually("the root shows its thread", async () => {
        const [root] = await ann.reads(group.id);
        return root?.thread?.reply_count === 1;
      });
      await ann.publishes("a post");
      await bob.follows(ann);
      const path = join(dir, "all.zip");
      await runs(first, "export", "--all", "--out", path);
      expect(await runs(second, "import", path)).toContain("2 users, 3 conversations, 5 messages");
      const back = await signsIn(second, ann.user.username);
      const { items } = expectStatus(
        await back.api.get<{ items: Conversation[] }>("/api/conversations"),
        200,
      );
      expect(items.map(({ kind }) => kind).sort()).toEqual(["direct", "group"]);
      const messages = await back.reads(items.find(({ kind }) => kind === "group")!.id);
      const before = await ann.reads(group.id);
      const shape = ({ seq, body, created_at, client_id, reactions, deleted_at }: Message) => ({
        seq,
        body,
        created_at,
        client_id,
        deleted_at,
        reactions: reactions?.map(({ key, count }) => [key, count]),
      });
      expect(messages.map(shape)).toEqual(before.map(shape));
      expect(messages[0]!.thread).toMatchObject({ reply_count: 1 });
      const me = expectStatus(await back.api.get<User>(`/api/users/${back.id}`), 200);
      expect(me).toMatchObject({ follower_count: 1, post_count: 1 });
      const rows = await written(second);
      expect(await runs(second, "import", path)).toContain("5 messages");
      expect(await written(second)).toEqual(rows);
      expect(await createRecount(second.databaseUrl!).recount(false)).toEqual([]);
      await expect(runs(second, "import", join(dir, "none"))).rejects.toThrow(/no file/);
      await writeFile(join(dir, "bad.jsonl"), '{"type":"user"}\n');
      await expect(runs(second, "import", join(dir, "bad.jsonl"))).rejects.toThrow(/line 1/);
    } finally {
      await Promise.all([first.stop(), second.stop()]);
      await rm(dir, { recursive: true, force: true });
    }
  });

  function runs(troupe: Troupe, ...args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const env = {
        PATH: process.env["PATH"] ?? "",
        LOG_LEVEL: "error",
        DATABASE_URL: troupe.databaseUrl!,
        DATA_DIR: troupe.dataDir,
        JWT_SECRET,
      };
      execFile(process.execPath, [CLI, ...args], { env }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(stderr));
      });
    });
  }
});
