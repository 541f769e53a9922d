/** [EXP] Exports: what they hold, what they do not, and who reads them. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { describe, expect, it } from "vitest";
import type { Job } from "../../src/protocol/job-routes.ts";
import { filesWith } from "../support/dump.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal, upTo } from "../support/expectations.ts";
import type { Api } from "../support/http.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { Service, serviceTokenOf } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";
import { linesIn, unzipped } from "../support/zip.ts";

const CLI = fileURLToPath(new URL("../../dist/src/cli.js", import.meta.url));
const JOB_WITHIN_MS = 30_000;
/** Stands in what others have written only. */
const OTHERS = "otherswordxq";
const PAGE = 500;

interface Exported {
  url: string;
  expires_at: string;
  bytes: number;
  lines: number;
  files: number;
}
type Line = Record<string, unknown>;

describe("a user's export", () => {
  const troupe = troupeForFile({ workers: 1, env: { RATE_LIMITS: "off" } });

  async function begins(api: Api, body: object): Promise<string> {
    const answer = await api.post<{ job_id: string }>("/api/exports", body);
    return expectStatus(answer, 202).job_id;
  }

  function untilEnded(api: Api, id: string): Promise<Job> {
    return eventually(
      `job ${id} has ended`,
      async () => {
        const job = expectStatus(await api.get<Job>(`/api/jobs/${id}`), 200);
        return job.state === "done" || job.state === "failed" ? job : false;
      },
      JOB_WITHIN_MS,
    );
  }

  async function resultOf(api: Api, id: string): Promise<Exported> {
    const job = await untilEnded(api, id);
    expect(job).toMatchObject({ kind: "export", state: "done" });
    return job.result as Exported;
  }

  /** Bytes, which the tests' own client would read as text. */
  async function reads(url: string, token: string): Promise<Buffer> {
    const answer = await fetch(new URL(url, troupe().url), {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/zip");
    return Buffer.from(await answer.arrayBuffer());
  }

  async function scene() {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    await ann.api.patch("/api/me", { data: { motto: null, level: 3 } });
    const direct = await ann.startsDirect(bob);
    const group = await bob.startsGroup(ann);
    const file = await ann.uploads("the bytes of a file", "to: bob.txt");
    await ann.posts(direct.id, "with a file", [file]);
    const others = await bob.posts(direct.id, OTHERS);
    await bob.posts(group.id, `${OTHERS} in the group`);
    await ann.posts(group.id, "in the group");
    await ann.api.put(`/api/conversations/${direct.id}/messages/${others.seq}/reactions/👍`);
    await ann.api.patch(`/api/conversations/${group.id}/prefs`, { draft: { body: "a draft" } });
    const later = {
      client_id: "later",
      body: "not yet",
      send_at: new Date(Date.now() + 3_600_000).toISOString(),
    };
    await ann.api.post(`/api/conversations/${group.id}/scheduled`, later);
    const post = await ann.publishes("a post");
    const bobs = await bob.publishes(OTHERS);
    await ann.comments(bobs, "a comment");
    await bob.comments(post, OTHERS);
    await ann.likes(bobs);
    await ann.follows(bob);
    await bob.follows(ann);
    const report = { subject: { conversation_id: direct.id, seq: others.seq }, reason: "spam" };
    await ann.api.post("/api/reports", { ...report, note: "a note" });
    return { ann, bob, direct, group, file };
  }

  const of = (lines: Line[], type: string) => lines.filter((line) => line["type"] === type);

  it("[EXP1] holds everything of the user's own, and of others names and ids only", async () => {
    const { ann, bob, direct, group, file } = await scene();
    const job = await begins(ann.api, {});
    const result = await resultOf(ann.api, job);
    const archive = await reads(result.url, ann.token);
    expect(archive.length).toBe(result.bytes);
    const entries = unzipped(archive);
    const path = `files/${file.id}/to_ bob.txt`;
    expect([...entries.keys()]).toEqual(["data.jsonl", path]);
    expect(entries.get(path)!.toString()).toBe("the bytes of a file");
    const text = entries.get("data.jsonl")!;
    expect(text.includes(OTHERS)).toBe(false);
    const lines = linesIn(text);
    const [self, other] = [`troupe:${ann.id}`, `troupe:${bob.id}`];
    expect(of(lines, "user")).toEqual([
      expect.objectContaining({
        external_id: self,
        username: ann.user.username,
        data: { motto: null, level: 3 },
      }),
      {
        type: "user",
        external_id: other,
        id: bob.id,
        username: bob.user.username,
        display_name: bob.user.display_name,
      },
    ]);
    expect(of(lines, "privacy")).toHaveLength(1);
    expect(of(lines, "login")).toMatchObject([{ address: expect.any(String) }]);
    const conversations = of(lines, "conversation").map(({ members, ...rest }) => ({
      ...rest,
      ...(Array.isArray(members) && { members: [...members].sort() }),
    }));
    expect(conversations).toMatchObject([
      { id: direct.id, kind: "direct", members: [self, other].sort() },
      { id: group.id, kind: "group", owner: other, title: "A group" },
    ]);
    expect(of(lines, "member")).toMatchObject([
      { user: self, conversation: `troupe:${direct.id}` },
      { user: self, conversation: `troupe:${group.id}` },
    ]);
    expect(of(lines, "preferences")).toMatchObject([{ draft: { body: "a draft" } }]);
    expect(of(lines, "message")).toMatchObject([
      { conversation: `troupe:${direct.id}`, body: "with a file", attachments: [file.id] },
      { conversation: `troupe:${group.id}`, body: "in the group", sender: self },
    ]);
    expect(of(lines, "reaction")).toMatchObject([{ key: "👍", user: self }]);
    expect(of(lines, "scheduled_message")).toMatchObject([{ body: "not yet" }]);
    expect(of(lines, "post")).toMatchObject([{ body: "a post" }]);
    expect(of(lines, "comment")).toMatchObject([{ body: "a comment" }]);
    expect(of(lines, "like")).toHaveLength(1);
    expect(of(lines, "follow")).toMatchObject([
      { follower: self, followee: other },
      { follower: other, followee: self },
    ]);
    expect(of(lines, "report")).toMatchObject([{ reason: "spam", note: "a note" }]);
    expect(of(lines, "file")).toMatchObject([{ id: file.id, path, mime: "text/plain" }]);
    expect([result.lines, result.files]).toEqual([lines.length - 2, 1]);
  });

  it("[EXP1] holds more than a page of anything, each once and in order", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    const count = PAGE + 20;
    const left = upTo(count);
    const sender = async () => {
      for (let n = left.shift(); n !== undefined; n = left.shift()) {
        await ann.posts(group.id, `m${n}`);
        if (n % 10 === 0) await bob.posts(group.id, OTHERS);
      }
    };
    await Promise.all(upTo(20).map(sender));
    const { url } = await resultOf(ann.api, await begins(ann.api, {}));
    const lines = linesIn(unzipped(await reads(url, ann.token)).get("data.jsonl")!);
    const messages = of(lines, "message");
    expect(new Set(messages.map(({ body }) => body)).size).toBe(count);
    expect(messages).toHaveLength(count);
    const seqs = messages.map(({ seq }) => seq as number);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  });

  it("[EXD1] is read by who asked for it, and nobody else begins or reads it", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const service = await Service.of(troupe(), "export");
    const other = await Service.of(troupe(), "users");
    expectRefusal(await bob.api.post("/api/exports", { user_id: ann.id }), "forbidden");
    expectRefusal(await other.api.post("/api/exports", { user_id: ann.id }), "forbidden");
    expectRefusal(await bob.api.post("/api/exports", { all: true }), "forbidden");
    expectRefusal(await service.api.post("/api/exports", {}), "invalid_payload");
    const two = { user_id: ann.id, all: true };
    expectRefusal(await service.api.post("/api/exports", two), "invalid_payload");
    const nowhere = { conversation_id: "99999999" };
    expectRefusal(await service.api.post("/api/exports", nowhere), "not_found");
    expectRefusal(await service.api.post("/api/exports", { user_id: "99999999" }), "not_found");
    const acting = await Service.of(troupe(), "act", "export");
    const as = { headers: { "troupe-act-as": ann.id } };
    expectRefusal(await acting.api.post("/api/exports", {}, as), "forbidden");

    const { url } = await resultOf(service.api, await begins(service.api, { user_id: ann.id }));
    expectRefusal(await ann.api.get(url), "not_found");
    expectRefusal(await bob.api.get(url), "not_found");
    const token = await serviceTokenOf(JWT_SECRET, ["export"]);
    const lines = linesIn(unzipped(await reads(url, token)).get("data.jsonl")!);
    expect(of(lines, "user")).toMatchObject([{ id: ann.id }]);
  });

  it("[EXP1] shows names of the application's own to services, and one's own to the user", async () => {
    const service = await Service.of(troupe(), "users", "export");
    const put = async (external: string) =>
      expectStatus(
        await service.api.put<{ id: string }>(`/api/users/external/${external}`, {}),
        201,
      ).id;
    const [cat, dan] = [await put("crm:cat"), await put("crm:dan")];
    const minted = await service.api.post<{ access_token: string }>(`/api/users/${cat}/tokens`, {});
    const token = expectStatus(minted, 201).access_token;
    const acting = { headers: { authorization: `Bearer ${token}` } };
    const followed = await troupe().http.post(`/api/users/${dan}/follow`, undefined, acting);
    expectStatus<unknown>(followed, 200);
    const { url } = await resultOf(service.api, await begins(service.api, { user_id: cat }));
    const full = await serviceTokenOf(JWT_SECRET, ["export"]);
    const seen = linesIn(unzipped(await reads(url, full)).get("data.jsonl")!);
    expect(of(seen, "follow")).toMatchObject([{ follower: "crm:cat", followee: "crm:dan" }]);

    const begun = await troupe().http.post<{ job_id: string }>("/api/exports", {}, acting);
    const { job_id } = expectStatus(begun, 202);
    const own = await eventually("the own export has ended", async () => {
      const job = await troupe().http.get<Job>(`/api/jobs/${job_id}`, acting);
      return job.body.state === "done" ? (job.body.result as Exported) : false;
    });
    const lines = linesIn(unzipped(await reads(own.url, token)).get("data.jsonl")!);
    expect(of(lines, "follow")).toMatchObject([{ follower: "crm:cat", followee: `troupe:${dan}` }]);
  });

  it("[EXP3] takes the place of the one before, and goes when the user is erased", async () => {
    const ann = await troupe().user("ann");
    const service = await Service.of(troupe(), "export", "users");
    await ann.publishes("an erased word");
    const kept = async () =>
      (await readdir(join(troupe().dataDir, "files"), { recursive: true })).filter((path) =>
        /\/x\d+$/.test(path),
      );
    const first = await resultOf(ann.api, await begins(ann.api, {}));
    const second = await resultOf(ann.api, await begins(ann.api, { user_id: ann.id }));
    expectRefusal(await ann.api.get(first.url), "not_found");
    await reads(second.url, ann.token);
    expect((await kept()).map((path) => path.split("/").at(-1))).toContain(
      `x${second.url.split("/").at(-1)}`,
    );
    const erased = await service.api.delete<{ job_id: string }>(
      `/api/users/${ann.id}?messages=erase`,
    );
    await untilEnded(service.api, expectStatus(erased, 202).job_id);
    expect(await kept()).toEqual([]);
    expect(await filesWith(join(troupe().dataDir, "files"), ["an erased word"])).toEqual([]);
    expectRefusal(await service.api.post("/api/exports", { user_id: ann.id }), "not_found");
  });

  it("[EXP6] of a conversation holds it whole, and nothing of others", async () => {
    const { ann, bob, direct, file } = await scene();
    const eve = await troupe().user("eve");
    const group = await ann.startsGroup(bob, eve);
    await bob.posts(group.id, OTHERS);
    await bob.api.delete(`/api/conversations/${group.id}/members/${bob.id}`);
    const deleted = await ann.posts(group.id, "to be deleted");
    await ann.api.delete(`/api/conversations/${group.id}/messages/${deleted.seq}`);
    const service = await Service.of(troupe(), "export");
    const token = await serviceTokenOf(JWT_SECRET, ["export"]);
    const read = async (id: string) => {
      const job = await begins(service.api, { conversation_id: id });
      return unzipped(await reads((await resultOf(service.api, job)).url, token));
    };
    const entries = await read(direct.id);
    expect(entries.size).toBe(2);
    expect([...entries.keys()].at(1)).toMatch(new RegExp(`^files/${file.id}/`));
    const lines = linesIn(entries.get("data.jsonl")!);
    expect(of(lines, "user").map(({ id }) => id)).toEqual([ann.id, bob.id].sort());
    expect(of(lines, "conversation")).toMatchObject([{ id: direct.id }]);
    expect(of(lines, "member")).toHaveLength(2);
    expect(of(lines, "message").map(({ body }) => body)).toEqual(["with a file", OTHERS]);
    expect(of(lines, "reaction")).toMatchObject([{ user: `troupe:${ann.id}`, seq: 2 }]);

    // A writer who has left is named, and a deleted message has its place.
    const left = linesIn((await read(group.id)).get("data.jsonl")!);
    const ids = of(left, "user").map(({ id }) => id as string);
    expect(ids.toSorted()).toEqual([ann.id, bob.id, eve.id].toSorted());
    expect(of(left, "member").map(({ user }) => user)).not.toContain(`troupe:${bob.id}`);
    const messages = of(left, "message");
    expect(messages.map(({ seq }) => seq)).toEqual(upTo(messages.length));
    expect(messages.at(-1)).toMatchObject({ body: "", deleted_at: expect.any(String) });
  });

  it("[EXP7] of all holds everybody and everything, page after page", async () => {
    await scene();
    const service = await Service.of(troupe(), "export");
    const token = await serviceTokenOf(JWT_SECRET, ["export"]);
    const { url } = await resultOf(service.api, await begins(service.api, { all: true }));
    const entries = unzipped(await reads(url, token));
    const lines = linesIn(entries.get("data.jsonl")!);
    const tables = {
      user: "users",
      conversation: "conversations",
      member: "conversation_members",
      message: "messages",
      reaction: "message_reactions",
      follow: "follows",
      like: "likes",
      comment: "comments",
      file: "files",
    };
    const client = new Client({ connectionString: troupe().databaseUrl! });
    await client.connect();
    try {
      for (const [type, table] of Object.entries(tables)) {
        const { rows } = await client.query<{ n: number }>(
          `SELECT count(*)::int AS n FROM ${table}`,
        );
        expect([type, of(lines, type).length]).toEqual([type, rows[0]!.n]);
      }
    } finally {
      await client.end();
    }
    expect(of(lines, "message").length).toBeGreaterThan(PAGE);
    const places = of(lines, "message").map(({ conversation, seq }) => `${conversation} ${seq}`);
    expect(new Set(places).size).toBe(places.length);
    expect(of(lines, "user").every((line) => line["password_hash"] === undefined)).toBe(true);
    expect(entries.size).toBe(1 + of(lines, "file").length);
  });

  it("[EXP5] is written by the command line, and into no file that is there", async () => {
    const { ann, file } = await scene();
    const folder = await mkdtemp(join(tmpdir(), "troupe-export-"));
    try {
      const path = join(folder, "ann.zip");
      const env = {
        PATH: process.env["PATH"] ?? "",
        HOME: folder,
        LOG_LEVEL: "error",
        DATABASE_URL: troupe().databaseUrl!,
        DATA_DIR: troupe().dataDir,
        JWT_SECRET,
      };
      const byName = ["user", "export", ann.user.username, "--out", path];
      const runs = (...args: string[]) =>
        new Promise<{ isDone: boolean; text: string }>((resolve) => {
          const asked = [CLI, ...(args.length === 0 ? byName : args)];
          execFile(process.execPath, asked, { env }, (error, stdout, stderr) =>
            resolve({ isDone: error === null, text: stdout + stderr }),
          );
        });
      expect(await runs()).toMatchObject({ isDone: true, text: expect.stringMatching(/1 files/) });
      const entries = unzipped(await readFile(path));
      expect([...entries.keys()].at(1)).toMatch(new RegExp(`^files/${file.id}/`));
      expect(of(linesIn(entries.get("data.jsonl")!), "message")).toHaveLength(2);
      expect(await runs()).toMatchObject({ isDone: false });
      const all = join(folder, "all.zip");
      expect(await runs("export", "--all", "--out", all)).toMatchObject({ isDone: true });
      const everybody = of(linesIn(unzipped(await readFile(all)).get("data.jsonl")!), "user");
      const own = everybody.find(({ id }) => id === ann.id);
      expect(own).toMatchObject({ password_hash: expect.stringMatching(/^\$?scrypt/) });
      expect(await runs("export")).toMatchObject({ isDone: false });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
