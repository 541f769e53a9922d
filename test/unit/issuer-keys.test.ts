/** [JWK] What the primary makes of an issuer that answers well, badly or not at all. */
import { afterEach, describe, expect, it } from "vitest";
import { IssuerKeys, publicKeysOf } from "../../src/primary/issuer-keys.ts";
import type { IssuerKeySet } from "../../src/runtime/control.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Issuer, issuerKey } from "../support/issuer.ts";

const PAUSE_MS = 5_000;
const FRESH_MS = 10 * 60_000;
const RETRY_MS = 15_000;

let issuer: Issuer;
let keys: IssuerKeys;
afterEach(async () => {
  keys.close();
  await issuer.goesAway();
});

async function trusting() {
  const first = await issuerKey("one");
  issuer = await Issuer.publishing(first);
  const clock = new FakeClock();
  const changes: IssuerKeySet[] = [];
  const faults: unknown[] = [];
  keys = new IssuerKeys({
    url: issuer.url,
    clock,
    onChange: (set) => changes.push(set),
    onFault: (fault) => faults.push(fault),
  });
  return { clock, changes, faults, first };
}

const kids = (set: IssuerKeySet | null) =>
  (JSON.parse(set?.keys ?? '{"keys":[]}') as { keys: { kid: string }[] }).keys.map(
    ({ kid }) => kid,
  );

describe("keys of an outside issuer", () => {
  it("[JWK1] the last good set stays, whatever is answered later", async () => {
    const { clock, changes, faults } = await trusting();
    const held = await keys.ask(false);
    expect(kids(held)).toEqual(["one"]);
    const nonsense = [
      "",
      "<html>",
      "null",
      "[]",
      '{"keys":[]}',
      '{"keys":{}}',
      '{"keys":[null,7]}',
    ];
    const bad = nonsense.map((body) => ({ status: 200, body }));
    const large = { status: 200, body: `{"keys":[${" ".repeat(600 * 1024)}]}` };
    for (const instead of [...bad, large, { status: 500, body: '{"keys":[]}' }]) {
      issuer.instead = instead;
      const before = faults.length;
      await clock.advance(PAUSE_MS);
      expect(await keys.ask(true)).toEqual(held);
      expect(faults.length).toBe(before + 1);
    }
    expect(changes).toEqual([]);
  });

  it("[JWK2] the issuer is asked once for many, and then not for a while", async () => {
    const { clock, changes } = await trusting();
    await Promise.all([1, 2, 3].map(() => keys.ask(true)));
    await keys.ask(true);
    expect(issuer.asked).toBe(1);
    issuer.published.push((await issuerKey("two")).publicJwk);
    await clock.advance(PAUSE_MS - 1);
    expect(kids(await keys.ask(true))).toEqual(["one"]);
    await clock.advance(1);
    expect(kids(await keys.ask(false))).toEqual(["one"]);
    expect(kids(await keys.ask(true))).toEqual(["one", "two"]);
    expect(changes.map(kids)).toEqual([["one", "two"]]);
    expect(issuer.asked).toBe(2);
  });

  it("[JWK2] it is asked again by itself: when the set is old, sooner after a failure", async () => {
    const { clock } = await trusting();
    await keys.ask(false);
    await clock.advance(FRESH_MS - 1);
    expect(issuer.asked).toBe(1);
    issuer.instead = { status: 500, body: "" };
    await clock.advance(1);
    await keys.ask(true);
    expect(issuer.asked).toBe(2);
    await clock.advance(RETRY_MS);
    await keys.ask(true);
    expect(issuer.asked).toBe(3);
  });

  it("[JWK3] private parts and shared secrets are left out", async () => {
    await trusting();
    const secret = { kty: "oct", k: "c2VjcmV0", kid: "oct" };
    const pair = { kty: "EC", crv: "P-256", x: "x", y: "y", d: "private", kid: "pair", x5u: "a" };
    const text = publicKeysOf(JSON.stringify({ keys: [secret, pair] }));
    expect(JSON.parse(text)).toEqual({
      keys: [{ kty: "EC", crv: "P-256", x: "x", y: "y", kid: "pair" }],
    });
    expect(() => publicKeysOf(JSON.stringify({ keys: [secret] }))).toThrow("no public key");
  });
});
