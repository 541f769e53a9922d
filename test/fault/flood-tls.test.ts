/** The same over TLS, where an attacker has more to be slow with and more to make us compute. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { makeCertificate } from "../support/certificates.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { HonestPeople } from "../support/flood.ts";
import { endures } from "../support/flood-verdict.ts";
import { noSocketsLeft } from "../support/suite.ts";

/** Three rounds, where the machine is busy with something else. */
const DEADLINE_MS = 240_000;

vi.setConfig({ testTimeout: DEADLINE_MS });

let dir: string;
let troupe: Troupe;
let people: HonestPeople;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "troupe-flood-"));
  const tls = makeCertificate(dir, "flood");
  troupe = await startTroupe({
    workers: 2,
    tls,
    // Fewer than the attackers are, so that their share is seen to end.
    env: { RATE_LIMITS: "on", PENDING_CONNECTIONS_MAX: "300" },
  });
  people = await HonestPeople.gather(troupe);
});
afterAll(async () => {
  people.leave();
  await troupe.stop();
  await noSocketsLeft();
  rmSync(dir, { recursive: true });
});

test("[FLD6] half a hello, a byte at a time", async () => {
  const { opened } = await endures(troupe, people, "tls-half-hello");
  expect(opened).toBeGreaterThanOrEqual(500);
});

test("[FLD6] a hello and no more", async () => {
  const { opened } = await endures(troupe, people, "tls-half-open");
  expect(opened).toBeGreaterThanOrEqual(500);
});

test("[FLD6] a handshake, and then silence: the address gets no more than its share", async () => {
  await endures(troupe, people, "tls-silent");
  const { text } = await troupe.http.get<string>("/metrics");
  expect(text).toMatch(/troupe_front_door_limited_total\{how="crowded"\} [1-9]/);
});

test("[FLD6] headers a byte at a time, encrypted", async () => {
  const { opened } = await endures(troupe, people, "tls-slow-header");
  expect(opened).toBeGreaterThanOrEqual(500);
});

test("[FLD6] handshake after handshake: past its rate the address is cut", async () => {
  const { opened, closed } = await endures(troupe, people, "tls-connection-flood");
  expect(opened).toBeGreaterThanOrEqual(500);
  expect(closed).toBeGreaterThan(0);
  const { text } = await troupe.http.get<string>("/metrics");
  expect(text).toMatch(/troupe_front_door_limited_total\{how="cut"\} [1-9]/);
});

test("[FLD7] when the floods are over, nothing of them is left at the door", async () => {
  await eventually(
    "no connection is undecided",
    async () => {
      const { text } = await troupe.http.get<string>("/metrics");
      return /^troupe_front_door_undecided 0$/m.test(text);
    },
    30_000,
  );
});
