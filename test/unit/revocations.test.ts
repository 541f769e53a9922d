/** [RVK] What an edge knows of revoked users and tokens, from events and from storage, in any order. */
import pino from "pino";
import { beforeEach, describe, expect, it } from "vitest";
import { KnownRevocations } from "../../src/edge/auth/revocations.ts";
import type { ShutOut } from "../../src/ports/edge.ts";
import type { FamilyId, UserId } from "../../src/protocol/ids.ts";
import { topicOf } from "../../src/protocol/topics.ts";
import { FRAME, type Frame, frame } from "../../src/runtime/frames.ts";
import { FakeClock } from "../support/fake-clock.ts";

const LOOK_MS = 500;
const TTL_S = 900;
const ANN = "1" as UserId;
const BOB = "2" as UserId;
const LOGIN = "7" as FamilyId;

let clock: FakeClock;
let known: KnownRevocations;
let said: { name: string; body: string }[];
let ended: string[];
/** What storage holds, and whether it answers. */
let stored: ShutOut;
let isAway: boolean;
/** How far back it looked for ended logins, in milliseconds. */
let asked: number[];
/** Answers wait for it. */
let hold: Promise<void>;

beforeEach(() => {
  clock = new FakeClock();
  said = [];
  ended = [];
  stored = { suspensions: [], families: [], cuts: [], tokens: [], rulesRev: 0 };
  isAway = false;
  asked = [];
  hold = Promise.resolve();
  known = new KnownRevocations({
    clock,
    log: pino({ level: "silent" }),
    accessTokenTtlS: TTL_S,
    accounts: {
      async shutOutWithin(familiesMs) {
        const found = { ...stored };
        asked.push(familiesMs);
        await hold;
        if (isAway) throw new Error("away");
        return found;
      },
    },
    exchange: () => ({
      publish(topic, { name, body }) {
        expect(topic).toBe(topicOf.revocations());
        said.push({ name, body });
        known.onEvent(event(name, body));
      },
    }),
    onRevoked: (family) => ended.push(`login ${family}`),
    onRevokedFound: () => ended.push("logins found"),
    onSuspended: (user) => ended.push(`user ${user}`),
    onRulesRev: () => undefined,
    onCut: (user, atMs) => ended.push(`user ${user} before ${atMs}`),
  });
});

function event(name: string, body: string): Frame {
  return frame(FRAME.event, { key: topicOf.revocations(), name, body });
}

describe("who is shut out", () => {
  it("[RVK1] what is said here is said to all, and done here at once", () => {
    known.suspend(ANN, true);
    known.revoke(LOGIN, BOB);
    expect(said.map(({ name }) => name)).toEqual(["suspension", "login_ended"]);
    expect(known.isSuspended(ANN)).toBe(true);
    expect(known.isRevoked(LOGIN)).toBe(true);
    expect(ended).toEqual(["user 1", "login 7"]);
    known.suspend(ANN, false);
    expect(known.isSuspended(ANN)).toBe(false);
    expect(known.isSuspended(BOB)).toBe(false);
  });

  it("[RVK2] what it did not hear it finds, both ways, and once", async () => {
    await known.start();
    stored = { ...stored, suspensions: [{ user: ANN, suspended: true }], families: [LOGIN] };
    await clock.advance(LOOK_MS);
    expect(ended).toEqual(["logins found", "user 1"]);
    expect(known.isRevoked(LOGIN)).toBe(true);
    stored.suspensions = [{ user: ANN, suspended: false }];
    await clock.advance(LOOK_MS);
    expect(known.isSuspended(ANN)).toBe(false);
    expect(ended).toEqual(["logins found", "user 1"]);
    known.stop();
    expect(clock.pending).toBe(0);
  });

  it("[RVK2] it looks back to before its last look that storage answered", async () => {
    await known.start();
    isAway = true;
    await clock.advance(20 * 60_000);
    isAway = false;
    asked = [];
    await clock.advance(LOOK_MS);
    expect(asked[0]).toBeGreaterThan(20 * 60_000);
    known.stop();
  });

  it("[RVK6] a change that may not have been published is looked for, since the last look", async () => {
    await known.start();
    await clock.advance(LOOK_MS / 2);
    asked.splice(0);
    stored.families = [LOGIN];
    const isEnded = await known.readEnded();
    expect([isEnded(LOGIN), isEnded("8" as FamilyId)]).toEqual([true, false]);
    expect(ended).toEqual(["logins found"]);
    // Not the lifetime of all tokens: what is older is known since the start.
    expect(asked).toEqual([LOOK_MS / 2 + 2_000]);
    known.stop();
  });

  it("[RVK3] what is heard while it reads is newer than what it reads", async () => {
    await known.start();
    stored.suspensions = [{ user: ANN, suspended: true }];
    let release: () => void = () => undefined;
    hold = new Promise((resolve) => {
      release = resolve;
    });
    await clock.advance(LOOK_MS);
    known.onEvent(event("suspension", JSON.stringify({ user: ANN, suspended: false })));
    release();
    await clock.advance(1);
    expect(known.isSuspended(ANN)).toBe(false);
    expect(ended).toEqual([]);
    known.stop();
  });

  it("[RVK5] a cut rises, and is found where it was not received", async () => {
    await known.start();
    known.cut(ANN, 1_000);
    known.onEvent(event("tokens_cut", JSON.stringify({ user: ANN, at_ms: 900 })));
    expect(known.cutOf(ANN)).toBe(1_000);
    stored = { ...stored, cuts: [{ user: BOB, atMs: 2_000 }], tokens: ["a token"] };
    await clock.advance(LOOK_MS);
    expect(known.cutOf(BOB)).toBe(2_000);
    expect(known.isTokenEnded("a token")).toBe(true);
    expect(ended).toEqual(["user 1 before 1000", "user 2 before 2000"]);
    known.endToken("another");
    expect(said.map(({ name }) => name)).toEqual(["tokens_cut", "service_token_ended"]);
    expect(known.isTokenEnded("another")).toBe(true);
    known.stop();
  });

  it("[RVK4] an ended login is known until the last of its tokens has expired", async () => {
    known.revoke(LOGIN, ANN);
    await clock.advance(TTL_S * 1000 - 1);
    expect(known.isRevoked(LOGIN)).toBe(true);
    await clock.advance(2);
    known.revoke("8" as FamilyId, ANN);
    expect(known.isRevoked(LOGIN)).toBe(false);
  });
});
