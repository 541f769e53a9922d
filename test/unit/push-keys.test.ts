/** [PSK] The configuration of pushes: keys and credentials that cannot work refuse the start. */
import { createECDH, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { Addresses, AddressRefused } from "../../src/outbound/addresses.ts";
import { createVapidKeys } from "../../src/outbound/vapid.ts";

function problemsOf(env: Record<string, string>): string[] {
  const loaded = loadConfig(env);
  return loaded.ok ? [] : loaded.problems.map(({ name }) => name);
}

const pairOf = () => {
  const curve = createECDH("prime256v1");
  const publicKey = curve.generateKeys("base64url");
  // A scalar that begins with a zero comes shorter.
  const scalar = curve.getPrivateKey("hex").padStart(64, "0");
  return { publicKey, privateKey: Buffer.from(scalar, "hex").toString("base64url") };
};
const PEM = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
  type: "pkcs8",
  format: "pem",
}) as string;
const APNS = { APNS_KEY_ID: "ABCDE12345", APNS_TEAM_ID: "TEAM123456", APNS_TOPIC: "com.example" };

describe("the configuration of pushes", () => {
  it("[PSK1] a pair of VAPID keys has to belong together", () => {
    const [one, other] = [pairOf(), pairOf()];
    const keys = (publicKey: string, privateKey: string) =>
      problemsOf({ VAPID_KEYS: `${publicKey},${privateKey}` });
    expect(keys(one.publicKey, one.privateKey)).toEqual([]);
    expect(keys(one.publicKey, other.privateKey)).toEqual(["VAPID_KEYS"]);
    expect(keys(one.privateKey, one.publicKey)).toEqual(["VAPID_KEYS"]);
  });

  it("[PSK2] the key of APNs wants its ids, and a text or a file that holds one", () => {
    expect(problemsOf({ APNS_KEY: PEM, ...APNS })).toEqual([]);
    expect(problemsOf({ APNS_KEY: PEM.replaceAll("\n", "\\n"), ...APNS })).toEqual([]);
    expect(problemsOf({ APNS_KEY: PEM })).toEqual(["APNS_KEY"]);
    expect(problemsOf({ APNS_KEY: "/nowhere/key.p8", ...APNS })).toEqual(["APNS_KEY"]);
  });

  it("[PSK3] credentials of FCM have an account, a project and a key", () => {
    const credentials = {
      project_id: "p",
      client_email: "a@b.example",
      private_key: PEM,
      token_uri: "https://oauth2.googleapis.com/token",
    };
    expect(problemsOf({ FCM_CREDENTIALS: JSON.stringify(credentials) })).toEqual([]);
    for (const part of [{ private_key: "none" }, { project_id: 7 }, { token_uri: "no URL" }]) {
      const text = JSON.stringify({ ...credentials, ...part });
      expect(problemsOf({ FCM_CREDENTIALS: text })).toEqual(["FCM_CREDENTIALS"]);
    }
  });

  it("[PSK4] keys that are made belong together, and are asked for once", async () => {
    let stored: { publicKey: string; privateKey: string } | null = null;
    let asked = 0;
    const keys = createVapidKeys(null, {
      async vapidKeys(make) {
        asked++;
        stored ??= make();
        return stored;
      },
    });
    const [one, other] = await Promise.all([keys(), keys()]);
    expect(one).toEqual(other);
    expect(asked).toBe(1);
    expect(problemsOf({ VAPID_KEYS: `${one.publicKey},${one.privateKey}` })).toEqual([]);
  });

  it("[PSK5] endpoints may lead to the private hosts of PUSH_ALLOW_PRIVATE, and webhooks may not", async () => {
    const resolve = async () => [{ address: "10.1.2.3", family: 4 }];
    const addresses = new Addresses([], resolve, ["push.internal"]);
    const url = new URL("http://push.internal/send/1");
    expect(await addresses.check(url, "device")).toHaveLength(1);
    for (const namer of ["service", "user"] as const) {
      await expect(addresses.check(url, namer)).rejects.toThrow(AddressRefused);
    }
    const elsewhere = new URL("https://other.internal/");
    await expect(addresses.check(elsewhere, "device")).rejects.toThrow(AddressRefused);
  });
});
