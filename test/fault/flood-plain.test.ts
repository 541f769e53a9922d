/** Floods of 500 connections from one address: honest people hardly notice, memory stays flat. */
import { afterAll, beforeAll, test, vi } from "vitest";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { HonestPeople } from "../support/flood.ts";
import { endures } from "../support/flood-verdict.ts";
import { noSocketsLeft } from "../support/suite.ts";

/** Three rounds, where the machine is busy with something else. */
const DEADLINE_MS = 240_000;

vi.setConfig({ testTimeout: DEADLINE_MS });

let troupe: Troupe;
let people: HonestPeople;
beforeAll(async () => {
  troupe = await startTroupe({ workers: 2, env: { RATE_LIMITS: "on" } });
  people = await HonestPeople.gather(troupe);
});
afterAll(async () => {
  people.leave();
  await troupe.stop();
  await noSocketsLeft();
});

test("[FLD1] connections that say nothing", async () => {
  await endures(troupe, people, "half-open", ({ open }) => open > 0);
});

test("[FLD2] headers a byte at a time", async () => {
  await endures(troupe, people, "slow-header", ({ answers }) => (answers["408"] ?? 0) > 0);
});

test("[FLD3] headers without end", async () => {
  await endures(troupe, people, "oversize-header", ({ answers }) => (answers["431"] ?? 0) > 0);
});

test("[FLD4] bodies a byte at a time", async () => {
  await endures(troupe, people, "slow-body", ({ opened }) => opened >= 500);
});

test("[FLD5] connection after connection: past its rate the address is refused", async () => {
  await endures(troupe, people, "connection-flood", ({ answers, closed }) => {
    const answered = Object.values(answers).reduce((sum, count) => sum + count, 0);
    return (answers["429"] ?? 0) > 0 && closed > answered;
  });
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
