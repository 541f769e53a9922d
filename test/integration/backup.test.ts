/**
 * `troupe backup` and `troupe restore`, of a server that is talked to.
 *
 * [BAK1] A backup is used only where every file that it lists is there with its size and its sum.
 * [BAK2] What was acknowledged before the backup began is in it, and all of it is of one moment.
 * [BAK3] A restore writes nothing before it has verified everything, and the rows appear all at once.
 * [BAK4] It refuses a database in which anything is, or which is in use.
 * [BAK5] A restored event log has a new epoch: a cursor from before is `gone`.
 * [BAK6] Nobody but its owner may read a backup.
 * [BAK7] A backup that is killed changes nothing for the server, and is not taken for a whole one.
 */
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FileObject } from "../../src/protocol/files.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import type { Manifest } from "../../src/storage/copies/manifest.ts";
import { scratchDir, startTroupe, type Troupe } from "../support/cluster.ts";
import { RunningCommand, runs } from "../support/command.ts";
import type { Pulled } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { Api } from "../support/http.ts";
import { expectStatus, type Login, PASSWORD, Person } from "../support/person.ts";
import { serviceTokenOf } from "../support/service.ts";
import { historyOf, Talker } from "../support/talker.ts";

const SLOW_MS = 120_000;

let scratch: string;
let old: Troupe;
let ann: Person;
let bob: Person;
let groupId: string;
let file: FileObject;
let cursor: string;
/** What was acknowledged before the backup began. */
let before: string[];
let folder: string;

const eventsOf = async (troupe: Troupe) => {
  const secret = (await readFile(join(troupe.dataDir, "jwt-secret"), "utf8")).trim();
  const token = await serviceTokenOf(secret, ["events"]);
  return new Api(troupe.url, () => token);
};

const manifestOf = async (dir: string) =>
  JSON.parse(await readFile(join(dir, "manifest.json"), "utf8")) as Manifest;

const embedded = (dataDir: string) => ({ DATA_DIR: dataDir });

/** Paths below `dir` whose mode lets others in. */
async function openPaths(dir: string): Promise<string[]> {
  const open: string[] = [];
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (((await stat(path)).mode & 0o077) !== 0) open.push(path);
  }
  return open;
}

beforeAll(async () => {
  scratch = await scratchDir();
  folder = join(scratch, "backup");
  old = await startTroupe({ embedded: true, workers: 1, dataDir: join(scratch, "old") });
  [ann, bob] = (await old.users("ann", "bob")) as [Person, Person];
  groupId = (await ann.startsGroup(bob)).id;
  file = await ann.uploads("the bytes of a file", "a.txt");
  await ann.posts(groupId, "with a file", [file]);
  const api = await eventsOf(old);
  cursor = expectStatus(await api.get<Pulled>("/api/events?after=now"), 200).cursor;
  // Files that others leave beside Troupe's own do not belong to a backup.
  for (const name of [".DS_Store", "my notes", join("files", "00", ".DS_Store")]) {
    await mkdir(dirname(join(old.dataDir, name)), { recursive: true });
    await writeFile(join(old.dataDir, name), "not Troupe's");
  }
  await writeFile(join(old.dataDir, "core"), Buffer.alloc(100_000));
  const talkers = [new Talker(ann, groupId), new Talker(bob, groupId)];
  await eventually("both talk", () => talkers.every((one) => one.acknowledged.length > 20), 20_000);
  before = talkers.flatMap(({ acknowledged }) => acknowledged);
  const ended = await runs(["backup", folder], embedded(old.dataDir));
  for (const talker of talkers) await talker.stops();
  expect(ended.stderr).toBe("");
  expect(ended.stdout).toContain(`The backup in ${folder} is whole:`);
  expect(ended.code).toBe(0);
  expect(talkers.flatMap(({ acknowledged }) => acknowledged).length).toBeGreaterThan(before.length);
}, SLOW_MS);

afterAll(async () => {
  await old?.stop();
  await rm(scratch, { recursive: true, force: true });
}, SLOW_MS);

describe("a backup of a talking server", () => {
  it("[BAK6] only its owner may read it, and it holds secrets but not the database's password", async () => {
    expect(await openPaths(folder)).toEqual([]);
    expect((await stat(folder)).mode & 0o077).toBe(0);
    const manifest = await manifestOf(folder);
    expect(manifest.secrets.map(({ name }) => name)).toEqual(["jwt-secret"]);
    expect(manifest).toMatchObject({
      format: 1,
      cluster_id: expect.stringMatching(/^[0-9a-f]{12}$/),
    });
    expect(manifest.files.map(({ bytes }) => bytes)).toEqual(["the bytes of a file".length]);
  });

  it(
    "[BAK2] everything acknowledged before it began comes back on a second server, and logins work",
    async () => {
      const dataDir = join(scratch, "second");
      const restored = await runs(["restore", folder], embedded(dataDir));
      expect([restored.code, restored.stderr]).toEqual([0, ""]);
      expect((await stat(join(dataDir, "jwt-secret"))).mode & 0o777).toBe(0o600);
      const second = await startTroupe({ embedded: true, workers: 1, dataDir });
      try {
        const people = [ann, bob].map((one) => Person.of(second, one.login)) as [Person, Person];
        const [annAgain] = people;
        const history = await historyOf(annAgain, groupId);
        const kept = new Set(history.map(({ client_id }) => client_id));
        expect(before.filter((id) => !kept.has(id))).toEqual([]);
        expect(history.map(({ seq }) => seq)).toEqual(history.map((_, n) => n + 1));

        const login = { username: ann.user.username, password: PASSWORD };
        expectStatus<unknown>(await second.http.post("/api/auth/login", login), 200);
        const refresh = { refresh_token: bob.login.refresh_token };
        const renewed = await second.http.post<Login>("/api/auth/refresh", refresh);
        expectStatus<unknown>(renewed, 200);

        const shown = history.find(({ body }) => body === "with a file")?.attachments?.[0];
        const url = (shown as FileObject | undefined)?.url ?? "";
        expect((await annAgain.api.get<string>(url)).text).toBe("the bytes of a file");
        const path = `/api/conversations/${groupId}/messages`;
        const next = { client_id: "afterwards", body: "the talk goes on" };
        const sent = expectStatus(await annAgain.api.post<Message>(path, next), 201);
        expect(sent.seq).toBe(history.length + 1);

        const recounted = await runs(["recount"], embedded(dataDir));
        expect([recounted.code, recounted.stdout]).toEqual([0, "Every count is right.\n"]);

        // [BAK5]
        const events = await eventsOf(second);
        const gone = await events.get(`/api/events?after=${cursor}`);
        expect(gone.status).toBe(410);
        const { oldest } = gone.body.error.details as { oldest: string };
        const page = expectStatus(await events.get<Pulled>(`/api/events?after=${oldest}`), 200);
        expect(page.items.map(({ type }) => type)).toContain("message.created");

        // [BAK4]
        const inUse = await runs(["restore", folder], embedded(dataDir));
        expect(inUse.code).toBe(1);
        expect(inUse.stderr).toContain("is in use by another Troupe");
      } finally {
        await second.stop();
      }
      // [BAK4]
      const full = await runs(["restore", folder], embedded(dataDir));
      expect(full.code).toBe(1);
      expect(full.stderr).toMatch(/^The database is not empty: there are rows in its table \w+/);
    },
    SLOW_MS,
  );

  it("[BAK1] a backup that is not as it was written is refused before a database is made", async () => {
    const damaged = join(scratch, "damaged");
    const dataDir = join(scratch, "untouched");
    const users = join(damaged, "database/users.copy");
    const refusals: [string, () => Promise<void>, RegExp][] = [
      ["without its list", () => rm(join(damaged, "manifest.json")), /holds no whole backup/],
      ["without a table", () => rm(users), /users\.copy: it does not exist/],
      ["with a table cut off", () => truncate(users, 5), /has 5 bytes, and had \d+/],
      [
        "with another byte",
        async () => {
          const bytes = await readFile(users);
          bytes[0] = bytes[0]! ^ 1;
          await writeFile(users, bytes);
        },
        /the sum of .*users\.copy is not what it was/,
      ],
      [
        "of a newer Troupe",
        async () => {
          const manifest = await manifestOf(damaged);
          await writeFile(
            join(damaged, "manifest.json"),
            JSON.stringify({ ...manifest, format: 9 }),
          );
        },
        /in a form that this one does not know/,
      ],
    ];
    for (const [what, harm, says] of refusals) {
      await cp(folder, damaged, { recursive: true });
      await harm();
      const { code, stderr } = await runs(["restore", damaged], embedded(dataDir));
      expect([what, code]).toEqual([what, 1]);
      expect(stderr, what).toMatch(says);
      await rm(damaged, { recursive: true });
    }
    await expect(stat(dataDir)).rejects.toThrow("ENOENT");
  });

  it(
    "[BAK3] a restore that was killed with -9 is begun again, and then everything is there",
    async () => {
      const dataDir = join(scratch, "killed");
      const first = new RunningCommand(["restore", folder], embedded(dataDir));
      await eventually(
        "the restore has a database",
        () => stat(join(dataDir, "postgres/postmaster.pid")).then(() => true),
        30_000,
      );
      await first.kill9();
      const again = await runs(["restore", folder], embedded(dataDir));
      expect([again.code, again.stderr]).toEqual([0, ""]);
      const recounted = await runs(["recount"], embedded(dataDir));
      expect([recounted.code, recounted.stdout]).toEqual([0, "Every count is right.\n"]);
    },
    SLOW_MS,
  );

  it(
    "[BAK7] a backup that was killed with -9 is not taken for a whole one, and the talk goes on",
    async () => {
      const partial = join(scratch, "partial");
      const command = new RunningCommand(["backup", partial], embedded(old.dataDir));
      await eventually("it has begun", () => stat(join(partial, "database")).then(() => true));
      await command.kill9();
      await rm(join(partial, "manifest.json"), { force: true });
      const refused = await runs(["restore", partial], embedded(join(scratch, "nothing")));
      expect([refused.code, refused.stderr]).toEqual([
        1,
        `${partial} holds no whole backup: it has no manifest.json, which is written last.\n`,
      ]);
      const again = await runs(["backup", partial], embedded(old.dataDir));
      expect([again.code, again.stderr]).toEqual([
        1,
        `${partial} is not empty: name a new folder for each backup.\n`,
      ]);
      await ann.posts(groupId, "still here");
    },
    SLOW_MS,
  );
});
