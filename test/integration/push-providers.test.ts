/**
 * [PVD] Pushes by the providers' own protocols, to services that check and decrypt them.
 *
 * [PVD1] A browser's push is encrypted for it, and signed with the key of GET /api/push/key.
 * [PVD2] FCM is sent messages with an access token, which is asked for once.
 * [PVD3] APNs is sent notes with the provider's token, over a connection that is replaced when it ends.
 * [PVD4] 404 and 410 remove the device; what is throttled or cut off is sent again.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Device } from "../../src/protocol/push.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { AppleService, BrowserService, FcmService } from "../support/push-services.ts";
import { decisionsOf, sends } from "../support/pushes.ts";

const WITHIN_MS = 60_000;

let troupe: Troupe;
let browsers: BrowserService;
let fcm: FcmService;
let apple: AppleService;

beforeAll(async () => {
  browsers = await BrowserService.start();
  fcm = await FcmService.start();
  apple = await AppleService.start();
  const env = {
    ...fcm.env,
    ...apple.env,
    PUSH_ALLOW_PRIVATE: "127.0.0.1",
    PUSH_CONTENT: "full",
    VAPID_SUBJECT: "mailto:push@chat.example",
    RATE_LIMITS: "off",
  };
  troupe = await startTroupe({ workers: 1, env });
});

afterAll(async () => {
  await troupe.stop();
  await Promise.all([browsers.stop(), fcm.stop(), apple.stop()]);
});

async function people(device: object): Promise<{ ann: Person; bob: Person; talk: string }> {
  const [ann, bob] = (await troupe.users("ann", "bob")) as [Person, Person];
  expectStatus(await bob.api.put<Device>("/api/me/devices/one", device), 200);
  return { ann, bob, talk: (await ann.startsDirect(bob)).id };
}

async function deviceCount(bob: Person): Promise<number> {
  const answer = await bob.api.get<{ items: Device[] }>("/api/me/devices");
  return expectStatus(answer, 200).items.length;
}

describe("Web Push", () => {
  it("[PVD1] is encrypted for the browser, and signed with the deployment's key", async () => {
    const subscription = browsers.subscription("b1");
    const { ann, bob, talk } = await people({ provider: "webpush", subscription });
    await sends(ann, talk, "grüße");
    await eventually("the browser is pushed", () => browsers.received.length === 1, WITHIN_MS);
    const [push] = browsers.received;
    expect(push!.payload).toMatchObject({ v: 1, kind: "message", body: "grüße", badge: 1 });
    const key = await bob.api.get<{ public_key: string }>("/api/push/key");
    expect(push!.publicKey).toBe(expectStatus(key, 200).public_key);
    expect(push!.claims.sub).toBe("mailto:push@chat.example");
    expect(push!.headers).toMatchObject({
      topic: `c${talk}`,
      ttl: "86400",
      urgency: "high",
      "content-encoding": "aes128gcm",
    });
  });

  it("[PVD4] an endpoint that is gone takes the device with it", async () => {
    const subscription = browsers.subscription("b2");
    const { ann, bob, talk } = await people({ provider: "webpush", subscription });
    browsers.answer = { status: 410 };
    try {
      await sends(ann, talk, "hello");
      await eventually(
        "the device is removed",
        async () => (await deviceCount(bob)) === 0,
        WITHIN_MS,
      );
    } finally {
      browsers.answer = { status: 201 };
    }
    expect(await decisionsOf(bob)).toMatchObject([{ reason: "device_gone", device_id: "one" }]);
  });
});

describe("FCM", () => {
  it("[PVD2] is sent messages, each in the place of the last, with one access token", async () => {
    const { ann, bob, talk } = await people({ provider: "fcm", token: "f1" });
    const before = fcm.received.length;
    await sends(ann, talk, "first");
    await eventually("the first", () => fcm.received.length > before, WITHIN_MS);
    const { seq } = await sends(ann, talk, "second");
    await eventually("the second", () => fcm.received.length > before + 1, WITHIN_MS);
    const [first, second] = fcm.received.slice(before);
    expect(first).toMatchObject({ token: "f1", notification: { body: "first" } });
    expect(second!.data).toMatchObject({ v: "1", kind: "message", count: "2", badge: "2" });
    expect(second!.android.collapse_key).toBe(first!.android.collapse_key);
    expect(fcm.tokensGiven).toBe(1);
    await eventually("both are noted", async () => (await decisionsOf(bob)).length === 2);
    expectStatus<unknown>(await bob.api.put(`/api/conversations/${talk}/read`, { seq }), 200);
    const isRead = () => fcm.received.find(({ data }) => data["kind"] === "read");
    const read = await eventually("it is told of the read", isRead, WITHIN_MS);
    expect(read).toMatchObject({ token: "f1", data: { conversation_id: talk, badge: "0" } });
    expect(read.notification).toBeUndefined();
  });

  it("[PVD4] what is throttled is sent again, and a token that is unknown is removed", async () => {
    const { ann, bob, talk } = await people({ provider: "fcm", token: "f2" });
    let asked = 0;
    fcm.answer = ({ token }) => {
      if (token !== "f2") return { status: 200, body: "{}" };
      asked++;
      return asked === 1 ? { status: 429, headers: { "retry-after": "1" } } : { status: 404 };
    };
    await sends(ann, talk, "hello");
    await eventually(
      "the device is removed",
      async () => (await deviceCount(bob)) === 0,
      WITHIN_MS,
    );
    expect(asked).toBe(2);
  });
});

describe("APNs", () => {
  it("[PVD3] [PVD4] is sent notes over HTTP/2, again after it was cut, until the token is gone", async () => {
    const { ann, bob, talk } = await people({ provider: "apns", token: "a1" });
    await sends(ann, talk, "first");
    await eventually("the first", () => apple.received.length === 1, WITHIN_MS);
    const [note] = apple.received;
    expect(note).toMatchObject({
      device: "a1",
      body: { aps: { alert: { body: "first" }, badge: 1 }, v: 1, conversation_id: talk },
    });
    expect(note!.headers).toMatchObject({
      "apns-topic": "com.example.chat",
      "apns-collapse-id": `c${talk}`,
      "apns-push-type": "alert",
    });
    apple.cuts();
    await sends(ann, talk, "second");
    await eventually("the second", () => apple.received.length >= 2, WITHIN_MS);
    apple.answer = () => ({ status: 410, body: JSON.stringify({ reason: "Unregistered" }) });
    await sends(ann, talk, "third");
    await eventually(
      "the device is removed",
      async () => (await deviceCount(bob)) === 0,
      WITHIN_MS,
    );
    const [last] = await decisionsOf(bob);
    expect(last).toMatchObject({
      reason: "device_gone",
      detail: expect.stringContaining("Unregistered"),
    });
  });
});
