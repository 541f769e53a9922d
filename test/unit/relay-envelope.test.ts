/** What comes in over Redis, as bytes and text from anybody: judged, and never thrown at. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KIND, openedEnvelope, sealedEnvelope } from "../../src/relay/envelope.ts";
import { openedMembers, sealedMembers } from "../../src/relay/lease.ts";
import { leaseAnswerOf } from "../../src/relay/lease-script.ts";
import { Repeats } from "../../src/relay/repeats.ts";
import { sealKey } from "../../src/relay/seal.ts";
import { encode, FRAME, frame } from "../../src/runtime/frames.ts";
import { IDENTITY, identityWith, membersOf } from "../support/relay-scene.ts";

const CHANNEL = "troupe:0a1b2c3d4e5f:conversations:1";
const { key } = IDENTITY;
const RUNS = 300;

const envelope = (host = "a", number = 7) =>
  sealedEnvelope(key, CHANNEL, { host, kind: KIND.events, number }, [
    encode(frame(FRAME.event, { key: "conversations:1", name: "message", body: "{}" })),
  ]);

describe("an envelope", () => {
  test("[ENV1] comes out as it went in, with any number that a host ever reaches", () => {
    for (const number of [0, 1, 2 ** 32, 2 ** 48 - 1]) {
      const opened = openedEnvelope(key, CHANNEL, envelope("0a1b2c3d", number));
      expect(opened).toMatchObject({ host: "0a1b2c3d", kind: KIND.events, number });
    }
  });

  test("[ENV1] any bytes are a reason, never an exception", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(openedEnvelope(key, CHANNEL, Buffer.from(bytes))).toBeTypeOf("string");
      }),
      { numRuns: RUNS },
    );
  });

  test("[ENV1] cut off anywhere, or with one bit changed anywhere, it is no envelope", () => {
    const whole = envelope();
    for (let end = 0; end < whole.length; end++) {
      expect(openedEnvelope(key, CHANNEL, whole.subarray(0, end))).toBeTypeOf("string");
    }
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const changed = Buffer.from(whole);
      changed[bit >>> 3] = (changed[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      expect(openedEnvelope(key, CHANNEL, changed)).toBeTypeOf("string");
    }
  });

  test("[SEAL1] it holds for its channel and its key only", () => {
    expect(openedEnvelope(key, `${CHANNEL}1`, envelope())).toBe("signature");
    const others = [{ secret: "other" }, { jwtSecret: "other" }].map((it) => identityWith(it).key);
    for (const other of [...others, sealKey(Buffer.alloc(32), null)]) {
      expect(openedEnvelope(other, CHANNEL, envelope())).toBe("signature");
    }
  });

  test("[ENV1] what a host of this cluster seals wrongly is malformed", () => {
    const wrong = { host: "a", kind: 9 as never, number: 1 };
    expect(openedEnvelope(key, CHANNEL, sealedEnvelope(key, CHANNEL, wrong, []))).toBe("malformed");
  });
});

describe("a lease", () => {
  test("[ENV2] a host's members come out as they went in", () => {
    const sealed = sealedMembers(IDENTITY, "a", membersOf("a"));
    expect(openedMembers(IDENTITY, "a", sealed)).toEqual(membersOf("a"));
    expect(openedMembers(IDENTITY, "b", sealed), "another host's entry").toBe("signature");
    const copy = identityWith({ database: "system/2" });
    expect(openedMembers(copy, "a", sealed)).toBe("other_database");
  });

  test("[ENV2] so do the version of its placement and its slots, unless they are no counts", () => {
    const members = { ...membersOf("a"), placement: 2, slots: 8 };
    expect(openedMembers(IDENTITY, "a", sealedMembers(IDENTITY, "a", members))).toEqual(members);
    for (const wrong of [-1, 1.5, 1e9, "2", null]) {
      for (const key of ["placement", "slots"]) {
        const sealed = sealedMembers(IDENTITY, "a", { ...members, [key]: wrong as never });
        expect(openedMembers(IDENTITY, "a", sealed)).toBe("malformed");
      }
    }
  });

  test("[ENV2] an entry of a Troupe before there were seals is no member", () => {
    expect(openedMembers(IDENTITY, "a", JSON.stringify(membersOf("a")))).toBe("signature");
  });

  test("[ENV2] any text is a reason, never an exception", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(openedMembers(IDENTITY, "a", text)).toBe("signature");
      }),
      { numRuns: RUNS },
    );
  });

  test("[ENV2] any JSON that is sealed and lists no workers is malformed or another database's", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const sealed = sealedMembers(IDENTITY, "a", {
          workers: value as never,
          draining: [value] as never,
        });
        const opened = openedMembers(IDENTITY, "a", sealed);
        if (typeof opened === "string") expect(opened).toBe("malformed");
        else
          expect(opened.workers.every(({ incarnation }) => typeof incarnation === "string")).toBe(
            true,
          );
      }),
      { numRuns: RUNS },
    );
  });

  test("[LSE3] an answer that is none throws in its reader, and any list of values is read", () => {
    for (const answer of [null, undefined, "OK", 7, [], [1, 2, 3]]) {
      expect(() => leaseAnswerOf(answer)).toThrow("the lease was not answered");
    }
    const odd = leaseAnswerOf([1, "d", 0, 1, 9, [7], 2, ["a"], "none"]);
    expect(odd).toMatchObject({ number: 1, claimed: ["7"] });
    expect(odd.change).toEqual({ is: "all", members: new Map(), away: new Map() });
    expect(leaseAnswerOf([1, "d", 0, 1, 9, [], 1, ["in", "a", "x", "odd"]]).change).toEqual({
      is: "some",
      hosts: [{ host: "a", sealed: "x", is: "member" }],
    });
    expect(leaseAnswerOf([1, "d", 0, 1, 9, [], 0, []]).change).toEqual({ is: "none" });
  });
});

describe("repeats", () => {
  test("[RPT1] each number is new once, in whatever order near ones come", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 5_000 }), { maxLength: 500 }), (numbers) => {
        const repeats = new Repeats();
        const seen = new Set<number>();
        for (const number of numbers) {
          expect(repeats.isNew("a", number)).toBe(!seen.has(number));
          seen.add(number);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("[RPT1] what is older than the window counts as a repeat, also after a long jump", () => {
    const repeats = new Repeats();
    for (const number of [5, 6, 2 ** 40, 2 ** 40 - 65_535, 2 ** 40 + 3]) {
      expect(repeats.isNew("a", number)).toBe(true);
    }
    for (const number of [5, 7, 2 ** 40, 2 ** 40 - 65_535, 2 ** 40 - 65_534 - 65_536]) {
      expect(repeats.isNew("a", number)).toBe(false);
    }
    expect(repeats.isNew("b", 5)).toBe(true);
  });

  test("[RPT2] of a thousand and one hosts the one heard from longest ago is forgotten", () => {
    const repeats = new Repeats();
    for (let n = 0; n <= 1_000; n++) repeats.isNew(`host${n}`, 1);
    expect(repeats.isNew("host1000", 1)).toBe(false);
    expect(repeats.isNew("host0", 1)).toBe(true);
  });
});
