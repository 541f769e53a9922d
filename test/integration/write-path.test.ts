/**
 * A Troupe whose PostgreSQL takes no writes: what clients are answered, and what operators learn
 * from `/readyz`, `/metrics`, `/ops`, the log and the doctor.
 */
import { randomBytes } from "node:crypto";
import { chownSync, mkdirSync, mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterEach, describe, expect, it } from "vitest";
import { SmallDisk } from "../../bench/support/small-disk.ts";
import type { OpsSummary } from "../../src/protocol/ops.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { administer } from "../support/postgres.ts";
import { LimitedRole } from "../support/role.ts";
import { Service } from "../support/service.ts";

const KNOWN_WITHIN_MS = 8_000;

let troupe: Troupe | undefined;
let role: LimitedRole | undefined;

afterEach(async (context) => {
  if (context.task.result?.state === "fail" && troupe) console.error(troupe.logTail());
  await troupe?.stop();
  await role?.discard();
  troupe = undefined;
  role = undefined;
});

interface Readiness {
  status: string;
  reasons?: string[];
}

const readiness = async (): Promise<Readiness> =>
  (await troupe!.http.get<Readiness>("/readyz")).body as Readiness;

const untilStatus = (status: string) =>
  eventually(
    `/readyz says ${status}`,
    async () => {
      const now = await readiness();
      return now.status === status ? now : undefined;
    },
    KNOWN_WITHIN_MS,
  );

const metric = async (name: string): Promise<number | undefined> => {
  const text = String((await troupe!.http.get("/metrics")).body);
  const line = text
    .split("\n")
    .find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
};

const refusals = (reason: string) =>
  troupe!.stderr
    .split("\n")
    .filter((line) => line.includes('"storage_refused"'))
    .map((line) => JSON.parse(line) as { reason: string; count: number; why: string; time: string })
    .filter((line) => line.reason === reason);

async function aGroup(): Promise<{ ann: Person; group: Conversation }> {
  const ann = await troupe!.user("ann");
  return { ann, group: await ann.startsGroup(await troupe!.user("ben")) };
}

async function sends(person: Person, conversation: string, body: string): Promise<number> {
  const answer = await person.api.post(`/api/conversations/${conversation}/messages`, {
    client_id: randomBytes(8).toString("hex"),
    body,
  });
  return answer.status;
}

describe("PostgreSQL takes no writes", () => {
  it("[WPT1] a read-only database is `degraded` without a send, named everywhere, and over when it ends", async () => {
    role = await LimitedRole.create();
    troupe = await startTroupe({ workers: 1, databaseUrl: role.url });
    const { ann, group } = await aGroup();
    expect(await sends(ann, group.id, "before")).toBe(201);
    expect(await readiness()).toEqual({ status: "ready" });
    expect(await metric("troupe_commit_possible")).toBe(1);

    await role.does(`ALTER ROLE ${role.name} SET default_transaction_read_only = on`);
    await role.cut();
    const degraded = await untilStatus("degraded");
    expect(degraded.reasons).toEqual([
      "nothing can be committed: PostgreSQL is read-only: it is a standby, or default_transaction_read_only is on",
    ]);
    expect(await metric("troupe_commit_possible")).toBe(0);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => sends(ann, group.id, `during ${n}`)),
    );
    expect(new Set(answers)).toEqual(new Set([503]));
    expect((await ann.api.get(`/api/conversations/${group.id}/messages`)).status).toBe(200);
    const operator = await Service.of(troupe, "ops");
    const summary = expectStatus(await operator.api.get<OpsSummary>("/api/ops/summary"), 200);
    expect([summary.status, summary.reasons]).toEqual(["degraded", degraded.reasons]);
    await eventually("the refusals are logged", () => {
      return refusals("read_only").reduce((sum, { count }) => sum + count, 0) >= 20;
    });
    // One line a second, whatever the number of refusals.
    expect(refusals("read_only").length).toBeLessThan(10);
    expect(await metric('troupe_storage_refusals_total{reason="read_only"}')).toBeGreaterThan(19);

    await role.does(`ALTER ROLE ${role.name} RESET default_transaction_read_only`);
    await role.cut();
    await untilStatus("ready");
    expect(await sends(ann, group.id, "after")).toBe(201);
  });

  it("[WPT2] [POL2] the writer has its connection before reads do, and reads make do with few", async () => {
    role = await LimitedRole.create("CONNECTION LIMIT 4");
    troupe = await startTroupe({ workers: 1, databaseUrl: role.url });
    const { ann, group } = await aGroup();
    for (let round = 0; round < 3; round++) {
      const reads = Array.from({ length: 60 }, () => ann.api.get("/api/conversations?limit=50"));
      const sent = Array.from({ length: 10 }, (_, n) => sends(ann, group.id, `${round} ${n}`));
      expect(new Set(await Promise.all(sent))).toEqual(new Set([201]));
      expect(new Set((await Promise.all(reads)).map(({ status }) => status))).toEqual(
        new Set([200]),
      );
      // The writer loses its connection, and takes it again from the reads.
      if (round === 0) await role.cut();
    }
    expect(await readiness()).toEqual({ status: "ready" });
  });

  it("[WPT3] [POL1] with no connection left for the writer it says so, and goes on when there is one", async () => {
    role = await LimitedRole.create("CONNECTION LIMIT 6");
    troupe = await startTroupe({ workers: 1, databaseUrl: role.url });
    const { ann, group } = await aGroup();
    expect(await sends(ann, group.id, "before")).toBe(201);
    await role.does(`ALTER ROLE ${role.name} CONNECTION LIMIT 0`);
    await role.cut();
    const now = await eventually("no connection is the reason", async () => {
      const { reasons = [] } = await readiness();
      return reasons.some((one) => one.includes("no connection left")) ? reasons : undefined;
    });
    expect(now).toContain("nothing can be committed: PostgreSQL has no connection left for Troupe");
    await role.does(`ALTER ROLE ${role.name} CONNECTION LIMIT 6`);
    await untilStatus("ready");
    expect(await sends(ann, group.id, "after")).toBe(201);
  });

  it("[WPT4] a full disk refuses sends with its reason, and is over when there is room", async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "troupe-small-disk-"));
    const disk = SmallDisk.mount(folder, 40);
    if (typeof disk === "string") {
      console.warn(`a full disk skipped: ${disk}`);
      context.skip();
      return;
    }
    const server = process.env["TEST_DATABASE_URL"]!;
    const space = `troupe_small_${randomBytes(4).toString("hex")}`;
    try {
      const location = join(disk.folder, "space");
      mkdirSync(location);
      await belongsToServer(location, server);
      await administer(server, `CREATE TABLESPACE ${space} LOCATION '${location}'`);
      const template = process.env["TEST_DATABASE_TEMPLATE"]!;
      await eventually("a database on it", () =>
        administer(server, `CREATE DATABASE ${space} TEMPLATE ${template} TABLESPACE ${space}`),
      );
      const url = new URL(server);
      url.pathname = `/${space}`;
      troupe = await startTroupe({ workers: 1, databaseUrl: url.href });
      const { ann, group } = await aGroup();
      disk.fill();
      await eventually(
        "a send is refused",
        async () => (await sends(ann, group.id, "x".repeat(3_500))) === 503,
        20_000,
      );
      const degraded = await untilStatus("degraded");
      expect(degraded.reasons).toEqual([
        "nothing can be committed: PostgreSQL is out of disk space",
      ]);
      expect(refusals("disk_full").length).toBeGreaterThan(0);
      disk.empty();
      await untilStatus("ready");
      expect(await sends(ann, group.id, "x".repeat(3_500))).toBe(201);
    } finally {
      await troupe?.stop();
      troupe = undefined;
      await administer(server, `DROP DATABASE IF EXISTS ${space} WITH (FORCE)`);
      await administer(server, `DROP TABLESPACE IF EXISTS ${space}`);
      disk.unmount();
    }
  });

  it("[WPT5] a statement beyond its time is refused with its reason, and the next one is not", async () => {
    role = await LimitedRole.create();
    troupe = await startTroupe({ workers: 1, databaseUrl: role.url });
    const { ann, group } = await aGroup();
    const holder = new pg.Client({ connectionString: role.url });
    await holder.connect();
    try {
      await holder.query("BEGIN");
      await holder.query("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", [group.id]);
      expect(await sends(ann, group.id, "waits")).toBe(503);
      await eventually("it is logged", () => refusals("too_slow").length > 0);
      await holder.query("ROLLBACK");
    } finally {
      await holder.end();
    }
    await untilStatus("ready");
    expect(await sends(ann, group.id, "goes")).toBe(201);
  });
});

/** Gives the folder to the user whom the server runs as. */
async function belongsToServer(folder: string, url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  const { uid, gid } = statSync(`/proc/${rows[0]!.pid}`);
  await client.end();
  chownSync(folder, uid, gid);
}
