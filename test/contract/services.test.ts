/** ServiceStore: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuditRow } from "../../src/ports/services.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import { ADAPTERS, newUsers, type OpenStorage } from "./adapters.ts";

const HOUR_MS = 3_600_000;
const NO_FILTER = { actor: null, target: null, after: null };
let made = 0;

const aToken = (issuedAtMs: number, ttlMs = HOUR_MS) => ({
  jti: `token ${++made}`,
  subject: "shop",
  scope: "users act",
  issuedAtMs,
  expiresAtMs: issuedAtMs + ttlMs,
});

const aRow = (row: Partial<AuditRow> = {}): AuditRow => ({
  actor: "shop",
  token: "a token",
  actingFor: null,
  act: "suspend_user",
  target: "user:7",
  reason: null,
  changed: [],
  isGathered: false,
  ...row,
});

describe.each(ADAPTERS)("services in $name", ({ open }) => {
  let storage: OpenStorage;
  let nowMs: number;
  beforeAll(async () => {
    storage = await open();
    // The storages' own clocks are this machine's.
    nowMs = Date.parse(
      (await storage.accounts.register("clock", "Clock", "h")).ok ? new Date().toISOString() : "",
    );
  });
  afterAll(() => storage?.close());

  it("[SVC1] a token is noted once, revoked once, and listed until it expires", async () => {
    const { services, accounts } = storage;
    const [first, second, old] = [aToken(nowMs), aToken(nowMs), aToken(nowMs - HOUR_MS, 1)];
    for (const token of [first, second, old, { ...first, subject: "another" }]) {
      await services.noteToken(token);
    }
    const listed = await services.serviceTokens(1, null);
    expect(listed?.items).toEqual([
      {
        jti: second.jti,
        sub: "shop",
        scope: "users act",
        created_at: new Date(nowMs).toISOString(),
        expires_at: new Date(nowMs + HOUR_MS).toISOString(),
        revoked_at: null,
      },
    ]);
    const rest = await services.serviceTokens(10, listed?.next_cursor ?? "");
    expect(rest?.items.map(({ jti }) => jti)).toEqual([first.jti]);
    expect(await services.serviceTokens(10, "nonsense")).toBeUndefined();

    expect(await services.endServiceToken("unknown")).toBeNull();
    const ended = await services.endServiceToken(first.jti);
    expect(ended?.revoked_at).not.toBeNull();
    expect(await services.endServiceToken(first.jti)).toEqual(ended);
    expect(await services.serviceToken(first.jti)).toEqual(ended);
    expect((await accounts.shutOutWithin(0, HOUR_MS)).tokens).toEqual([first.jti]);
  });

  it("[SVC2] a cut ends every login, and is later than the cut before", async () => {
    const { accounts } = storage;
    const [id] = await newUsers(storage, 1);
    const origin = { rootHash: `cut ${id}`, address: "10.0.0.1", userAgent: null };
    const family = await accounts.startFamily(id!, `t ${id}`, HOUR_MS, origin);
    const first = await accounts.cutTokens(id!);
    const second = await accounts.cutTokens(id!);
    expect(second).toBeGreaterThan(first!);
    expect(await accounts.rotate(`t ${id}`, "next", HOUR_MS)).toEqual({ outcome: "unknown" });
    const out = await accounts.shutOutWithin(HOUR_MS, HOUR_MS);
    expect(out.cuts).toContainEqual({ user: id, atMs: second });
    expect(out.families).toContain(family);
    expect(await accounts.cutTokens(asUserId("999999999"))).toBeNull();
  });

  it("[SVC3] the audit log is read newest first, by actor, target and time", async () => {
    const { services } = storage;
    await services.writeAudit([aRow({ reason: "spam" }), aRow({ target: "user:8" })]);
    await services.writeAudit([aRow({ actor: "moderator", changed: ["until"] })]);
    const all = await services.audit(NO_FILTER, 2, null);
    expect(all?.items).toMatchObject([
      { actor: "moderator", target: "user:7", changed: ["until"] },
      { actor: "shop", target: "user:8", changed: [], reason: null },
    ]);
    const rest = await services.audit(NO_FILTER, 2, all?.next_cursor ?? "");
    expect(rest?.items).toMatchObject([{ reason: "spam", acting_for: null, act: "suspend_user" }]);
    expect(rest?.items[0]).not.toHaveProperty("count");
    expect(rest?.next_cursor).toBeNull();
    const byTarget = await services.audit({ ...NO_FILTER, target: "user:7" }, 10, null);
    expect(byTarget?.items.map(({ actor }) => actor)).toEqual(["moderator", "shop"]);
    const byActor = await services.audit({ ...NO_FILTER, actor: "moderator" }, 10, null);
    expect(byActor?.items).toHaveLength(1);
    const later = new Date(nowMs + HOUR_MS).toISOString();
    expect((await services.audit({ ...NO_FILTER, after: later }, 10, null))?.items).toEqual([]);
    expect(await services.audit(NO_FILTER, 10, "nonsense")).toBeUndefined();
  });

  it("[SVC4] sends of one token and minute are one row, which counts them", async () => {
    const { services } = storage;
    const send = (token: string, actingFor: string, target: string) =>
      aRow({ act: "send_message", token, actingFor, target, isGathered: true, actor: "sender" });
    await services.writeAudit([
      send("one", "7", "conversation:1"),
      send("one", "7", "conversation:2"),
      send("two", "8", "conversation:2"),
    ]);
    await services.writeAudit([send("one", "7", "conversation:2")]);
    const found = await services.audit({ ...NO_FILTER, actor: "sender" }, 10, null);
    const sends = found!.items.map(({ acting_for, target, count = 1 }) => ({
      acting_for,
      target,
      count,
    }));
    // A minute may end between the two statements.
    const total = sends.reduce((sum, { count }) => sum + count, 0);
    expect(total).toBe(4);
    expect(sends).toContainEqual({ acting_for: "8", target: "conversation:2", count: 1 });
    expect(sends.filter(({ acting_for }) => acting_for === "7").length).toBeLessThanOrEqual(2);
  });
});
