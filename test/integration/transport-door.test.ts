/**
 * The front door's limits, with real connections from different loopback addresses. The machine's
 * own address is not limited, so 127.0.0.1 stands for clients to whom the limits never apply.
 */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Door, Wire } from "../support/door.ts";
import { eventually, within } from "../support/eventually.ts";

const GET = "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const LIMITS = { head: { silentMs: 4000, headMs: 3000 } };

const wires: Wire[] = [];

async function wireFrom(door: Door, from: string): Promise<Wire> {
  const wire = await Wire.to(door, false, from);
  wires.push(wire);
  return wire;
}

/** What an address hears that asks on `count` new connections, one after the other. */
async function asks(door: Door, from: string, count: number): Promise<string[]> {
  const heard: string[] = [];
  for (let i = 0; i < count; i++) {
    const wire = await wireFrom(door, from);
    await wire.says(GET);
    heard.push(await within("the door answers or closes", wire.closed));
  }
  return heard;
}

const statusOf = (text: string) => /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? "cut";

afterEach(() => {
  for (const wire of wires.splice(0)) wire.socket.destroy();
});

describe("rates", () => {
  let door: Door;
  beforeAll(async () => {
    door = await Door.opens({
      limits: LIMITS,
      env: { CONNECTION_BURST: "10", CONNECTION_RATE_PER_S: "1" },
    });
  });
  afterAll(() => door.ends());

  test("[DOOR1] past its burst an address is refused with 429, and told when to come back", async () => {
    const heard = await asks(door, "127.0.0.2", 15);
    expect(heard.slice(0, 10).map(statusOf)).toEqual(Array(10).fill("200"));
    const refused = heard.find((text) => statusOf(text) === "429");
    expect(refused).toMatch(/^Retry-After: 1\r$/m);
    expect(refused).toMatch(/^Connection: close\r$/m);
    expect(refused).toContain('"code":"rate_limited"');
    expect(await door.metric('troupe_front_door_limited_total{how="answered"}')).toBeGreaterThan(0);
    expect(door.log).toContain('"address":"127.0.0.2"');
  });

  test("[DOOR1] others are served meanwhile, and this machine itself is not limited", async () => {
    expect((await asks(door, "127.0.0.3", 10)).map(statusOf)).toEqual(Array(10).fill("200"));
    expect((await asks(door, "127.0.0.1", 40)).map(statusOf)).toEqual(Array(40).fill("200"));
  });

  test("[DOOR2] a flood is cut without an answer, its rate comes back with time", async () => {
    const heard = await asks(door, "127.0.0.4", 80);
    expect(heard.map(statusOf)).toContain("cut");
    const afterwards = await eventually("it is served again", async () => {
      const [text] = await asks(door, "127.0.0.4", 1);
      return statusOf(text!) === "200" ? text : undefined;
    });
    expect(afterwards).toContain('"served":"api"');
  });
});

describe("a crowd behind one address", () => {
  const CLIENTS = 600;

  test("[DOOR1] that comes all at once, and tries again as clients do, gets in", async () => {
    const door = await Door.opens({
      limits: LIMITS,
      env: { CONNECTION_BURST: "300", CONNECTION_RATE_PER_S: "100" },
    });
    try {
      let tries = 0;
      const comesIn = async () => {
        for (;;) {
          tries++;
          const [text] = await asks(door, "127.0.0.8", 1);
          if (statusOf(text!) === "200") return;
          // A client's own back-off, with its jitter.
          await delay(500 + Math.random() * 500);
        }
      };
      await within("all are in", Promise.all(Array.from({ length: CLIENTS }, comesIn)), 20_000);
      expect(tries).toBeGreaterThan(CLIENTS);
    } finally {
      await door.ends();
    }
  });
});

describe("silent connections", () => {
  /** A connection this old is not yet cut for a newer one; see src/primary/door-guard.ts. */
  const YOUNG_MS = 900;
  const CROWDS_MAX = 8;
  let door: Door;
  beforeAll(async () => {
    door = await Door.opens({ limits: LIMITS, env: { PENDING_CONNECTIONS_MAX: "20" } });
  });
  afterAll(() => door.ends());

  /**
   * So many silent connections of one address, and what one more hears while all of them are
   * young: where the machine took too long for that, the same again from another address.
   */
  async function crowdOf(count: number) {
    for (let n = 1; n <= CROWDS_MAX; n++) {
      const from = `127.0.1.${n}`;
      const startedMs = performance.now();
      const silent: Wire[] = [];
      while (silent.length < count) silent.push(await wireFrom(door, from));
      await eventually("all are at the door", async () => (await door.held()) === count);
      const [heard] = await asks(door, from, 1);
      if (performance.now() - startedMs < YOUNG_MS) return { from, silent, heard: heard! };
      for (const wire of silent) wire.socket.destroy();
      await eventually("the door is empty", async () => (await door.held()) === 0);
    }
    throw new Error(`${CROWDS_MAX} times ${count} connections took more than ${YOUNG_MS} ms`);
  }

  test("[DOOR4] an address has at most so many, and its newest is served", async () => {
    const { from, silent, heard } = await crowdOf(20);
    expect(statusOf(heard)).toBe("cut");
    const evicted = await door.metric("troupe_front_door_evicted_total");
    // Once the silent ones are old enough they make room.
    const served = await eventually("a new one is served", async () => {
      const [text] = await asks(door, from, 1);
      return statusOf(text!) === "200" ? text : undefined;
    });
    expect(served).toContain("200 OK");
    expect(await door.metric("troupe_front_door_evicted_total")).toBeGreaterThan(evicted);
    expect((await asks(door, "127.0.0.6", 1)).map(statusOf)).toEqual(["200"]);
    await Promise.all(silent.map((wire) => within("closed", wire.closed, 6000)));
    expect(await door.metric("troupe_front_door_undecided")).toBe(0);
  });
});

describe("who is not limited", () => {
  const TIGHT = { CONNECTION_BURST: "1", CONNECTION_RATE_PER_S: "1" };

  test.each([
    ["RATE_LIMITS=off", { ...TIGHT, RATE_LIMITS: "off" }],
    ["a proxy in TRUST_PROXY", { ...TIGHT, TRUST_PROXY: "127.0.0.0/30" }],
    ["anybody where TRUST_PROXY is a number", { ...TIGHT, TRUST_PROXY: "1" }],
  ])("[DOOR6] %s", async (_, env) => {
    const door = await Door.opens({ limits: LIMITS, env });
    try {
      expect((await asks(door, "127.0.0.2", 20)).map(statusOf)).toEqual(Array(20).fill("200"));
    } finally {
      await door.ends();
    }
  });

  test("[DOOR6] a peer that is not in TRUST_PROXY is limited", async () => {
    const door = await Door.opens({
      limits: LIMITS,
      env: { ...TIGHT, TRUST_PROXY: "127.0.0.0/30" },
    });
    try {
      expect((await asks(door, "127.0.0.9", 5)).map(statusOf)).toContain("429");
    } finally {
      await door.ends();
    }
  });
});
