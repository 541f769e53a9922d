/** What the front door counts: rates of addresses, undecided connections, a TLS hello. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConnectionRates } from "../../src/primary/connection-rates.ts";
import { TLS_HELLO } from "../../src/primary/tls-hello.ts";
import { Undecided, type UndecidedConnection } from "../../src/primary/undecided.ts";
import { monotonic } from "../../src/protocol/time.ts";

describe("the rate of an address's connections", () => {
  const welcomes = (rates: ConnectionRates, address: string, count: number, nowMs: number) =>
    Array.from({ length: count }, () => rates.admit(address, monotonic(nowMs))).filter(
      (admission) => admission === "welcome",
    ).length;

  test("[DOOR1] its burst at once, then its rate, and never more than the burst", () => {
    const rates = new ConnectionRates({ perS: 10, burst: 5 });
    expect(welcomes(rates, "a", 20, 1000)).toBe(5);
    expect(welcomes(rates, "a", 20, 1300)).toBe(3);
    expect(welcomes(rates, "a", 20, 100_000)).toBe(5);
  });

  test("[DOOR1] one address' connections are not another's", () => {
    const rates = new ConnectionRates({ perS: 1, burst: 1 });
    expect(welcomes(rates, "a", 10, 0)).toBe(1);
    expect(welcomes(rates, "b", 10, 0)).toBe(1);
  });

  test("[DOOR2] over the rate some are answered, the rest cut, and none is owed for it", () => {
    const rates = new ConnectionRates({ perS: 10, burst: 5 });
    const flood = Array.from({ length: 1000 }, () => rates.admit("a", monotonic(0)));
    expect(flood.filter((admission) => admission === "answered")).toHaveLength(50);
    expect(flood.filter((admission) => admission === "cut")).toHaveLength(945);
    expect(rates.admit("a", monotonic(100))).toBe("welcome");
  });

  test("[DOOR3] memory is bounded: who was not heard of for longest is forgotten", () => {
    const rates = new ConnectionRates({ perS: 0.001, burst: 1 }, 100);
    rates.admit("busy", monotonic(0));
    for (let i = 0; i < 10_000; i++) {
      rates.admit(`flood${i}`, monotonic(i));
      expect(rates.admit("busy", monotonic(i))).not.toBe("welcome");
    }
    expect(rates.size).toBe(100);
    expect(rates.admit("flood0", monotonic(10_000))).toBe("welcome");
  });

  test("[DOOR1] a crowd of 1,000 behind one address that retries gets in, all of it", () => {
    const rates = new ConnectionRates({ perS: 100, burst: 300 });
    let waiting = 1000;
    let seconds = 0;
    for (; waiting > 0 && seconds < 30; seconds++) {
      waiting -= welcomes(rates, "nat", waiting, seconds * 1000);
    }
    expect(waiting).toBe(0);
    expect(seconds).toBeLessThanOrEqual(8);
  });
});

describe("undecided connections", () => {
  const LIMITS = { perAddress: 3, total: 5, youngMs: 1000 };
  function room() {
    const cut: string[] = [];
    const undecided = new Undecided(LIMITS);
    const enter = (address: string, nowMs: number, name = `${address}@${nowMs}`) =>
      undecided.enter(address, monotonic(nowMs), () => cut.push(name));
    return { undecided, enter, cut };
  }

  test("[DOOR4] past its share the oldest of an address goes, and the new one comes in", () => {
    const { undecided, enter, cut } = room();
    for (const nowMs of [0, 1, 2]) enter("a", nowMs);
    expect(enter("a", 1500)).not.toBeNull();
    expect(cut).toEqual(["a@0"]);
    expect(undecided.size).toBe(3);
    expect(undecided.evicted).toBe(1);
  });

  test("[DOOR4] a crowd that has just come is not cut down for its own last", () => {
    const { enter, cut } = room();
    for (const nowMs of [0, 1, 2]) enter("a", nowMs);
    expect(enter("a", 900)).toBeNull();
    expect(cut).toEqual([]);
    expect(enter("b", 900)).not.toBeNull();
  });

  test("[DOOR4] of all addresses together the oldest goes", () => {
    const { undecided, enter, cut } = room();
    for (const [address, nowMs] of [
      ["a", 0],
      ["b", 1],
      ["c", 2],
      ["a", 3],
      ["b", 4],
    ] as const) {
      enter(address, nowMs);
    }
    expect(enter("d", 5000)).not.toBeNull();
    expect(cut).toEqual(["a@0"]);
    expect(undecided.size).toBe(5);
  });

  test("[DOOR5] one that a worker shakes hands with counts, and is not cut here", () => {
    const { undecided, enter, cut } = room();
    const guests = [0, 1, 2].map((nowMs) => enter("a", nowMs)!);
    for (const guest of guests) undecided.handedOver(guest);
    expect(enter("a", 5000)).toBeNull();
    undecided.leave(guests[1]!);
    expect(enter("a", 5000)).not.toBeNull();
    expect(cut).toEqual([]);
  });

  test("[DOOR4] whatever comes and goes, the bounds hold and nothing stays behind", () => {
    const step = fc.record({
      address: fc.constantFrom("a", "b", "c", "d"),
      does: fc.constantFrom("enters", "enters", "is handed over", "leaves"),
      which: fc.nat(20),
      afterMs: fc.nat(800),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const undecided = new Undecided(LIMITS);
        const inside = new Set<UndecidedConnection>();
        let nowMs = 0;
        for (const { address, does, which, afterMs } of steps) {
          nowMs += afterMs;
          const chosen = [...inside][which % Math.max(1, inside.size)];
          if (does === "enters") {
            const guest: UndecidedConnection | null = undecided.enter(
              address,
              monotonic(nowMs),
              () => {
                inside.delete(guest!);
              },
            );
            if (guest !== null) inside.add(guest);
          } else if (chosen !== undefined && does === "leaves") {
            undecided.leave(chosen);
            inside.delete(chosen);
          } else if (chosen !== undefined) undecided.handedOver(chosen);
          expect(undecided.size).toBe(inside.size);
          const ours = [...inside].filter((guest) => guest.cut !== null);
          expect(ours.length).toBeLessThanOrEqual(LIMITS.total);
          for (const name of ["a", "b", "c", "d"]) {
            const of = [...inside].filter((guest) => guest.address === name);
            expect(of.length).toBeLessThanOrEqual(LIMITS.perAddress);
          }
        }
        for (const guest of inside) undecided.leave(guest);
        expect(undecided.size).toBe(0);
      }),
    );
  });
});

describe("a TLS hello", () => {
  const hello = Buffer.concat([Buffer.from([0x16, 3, 1, 0, 200]), Buffer.alloc(200)]);

  test("[DOOR7] is known by its first bytes, and ends with its record", () => {
    for (let length = 1; length < hello.length; length++) {
      const seen = hello.subarray(0, length);
      expect(TLS_HELLO.maybe(seen)).toBe(true);
      expect(TLS_HELLO.endOf(seen, 0)).toBe(-1);
    }
    expect(TLS_HELLO.endOf(hello, 0)).toBe(hello.length);
    expect(TLS_HELLO.endOf(Buffer.concat([hello, hello]), 0)).toBe(hello.length);
  });

  test.each(["GET / HTTP/1.1", "\x15\x03\x01", "\x16\x02\x00", "\0"])(
    "[DOOR7] %j is none",
    (text) => {
      expect(TLS_HELLO.maybe(Buffer.from(text, "latin1"))).toBe(false);
    },
  );
});
