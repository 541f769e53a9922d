/**
 * What a new view costs one edge, by the number of workers of the cluster. EDGE_SESSIONS=500 prints
 * the figures of bench/RESULTS.md; fewer sessions are enough to count.
 */
import { expect, test, vi } from "vitest";
import { PLACEMENT, Placement, type View } from "../../src/runtime/view.ts";
import { CountingEdge } from "../support/counting-edge.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

const SESSIONS = Number(process.env["EDGE_SESSIONS"] ?? 20);
const CONVERSATIONS = 30;
const WATCHED = 100;
/** Hosts, and workers on each. */
const CLUSTERS = [
  [2, 2],
  [3, 8],
  [10, 8],
  [50, 8],
] as const;

interface Cost {
  /** In one turn of the event loop. */
  cpuMs: number;
  looks: number;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function viewOf(number: number, hosts: readonly string[], slots: number, dead = ""): View {
  const workers = hosts.flatMap((host) =>
    Array.from({ length: slots }, (_, n) => ({
      incarnation: `${host}.${n}.1`,
      slot: `${host}/${n}`,
    })),
  );
  return {
    number,
    workers: workers.filter(({ slot }) => slot !== dead),
    draining: [],
    away: [],
    placement: PLACEMENT,
    ...(dead !== "" && { slots: { [dead.split("/")[0]!]: slots } }),
  };
}

async function costs(hostCount: number, slots: number): Promise<Record<string, Cost>> {
  const hosts = Array.from({ length: hostCount }, (_, n) => `host${n}`);
  const clock = new FakeClock();
  const edge = new CountingEdge("host0.0.1", clock, viewOf(1, hosts, slots));
  for (let n = 0; n < SESSIONS; n++) {
    const user = 1_000 + n;
    const ids = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) => String(from + 1_000 * user + at));
    await edge.beginsAmongOnline({
      user: String(user),
      conversations: ids(0, CONVERSATIONS),
      followees: ids(50_000_000, WATCHED),
    });
  }
  await settled();
  let number = 1;
  const cost = async (hostsNow: readonly string[], dead = ""): Promise<Cost> => {
    const looks = vi.spyOn(Placement.prototype, "ownerOf");
    const beganMs = cpuMs();
    edge.takesView(viewOf(++number, hostsNow, slots, dead));
    const cost = { cpuMs: cpuMs() - beganMs, looks: looks.mock.calls.length };
    looks.mockRestore();
    await clock.advance(30_000);
    return cost;
  };
  // What is done for the first time costs more.
  await cost(hosts, "host1/1");
  await cost(hosts);
  const found = {
    "a worker dies": await cost(hosts, "host1/0"),
    "its successor comes": await cost(hosts),
    "a host comes": await cost([...hosts, "newcomer"]),
  };
  edge.close();
  return found;
}

test("[SHX1] a new view costs an edge less, not more, with more workers", async () => {
  const looks: number[] = [];
  for (const [hosts, slots] of CLUSTERS) {
    const found = await costs(hosts, slots);
    for (const [what, { cpuMs: ms, looks: count }] of Object.entries(found)) {
      console.log(`${hosts * slots} workers, ${what}: ${ms.toFixed(1)} ms, ${count} looks`);
    }
    looks.push(found["a host comes"]!.looks);
  }
  const things = SESSIONS * (1 + CONVERSATIONS + WATCHED);
  expect(looks.at(-1)).toBeLessThan(things / 10);
  expect(looks).toEqual([...looks].sort((a, b) => b - a));
}, 120_000);
