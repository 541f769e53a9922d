/**
 * What the answers of an address mean that the operator has set.
 *
 * [PVD5] 404 and 410 remove the device, unless the answer is a page that is not the provider's.
 */
import { generateKeyPairSync } from "node:crypto";
import { expect, it } from "vitest";
import { createFcm } from "../../src/outbound/push/fcm.ts";
import { createGatewaySender } from "../../src/outbound/push/gateway.ts";
import type { Post } from "../../src/outbound/request.ts";
import type { OutgoingPush, PushSender } from "../../src/ports/push-senders.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import { FakeClock } from "../support/fake-clock.ts";

const push: OutgoingPush = {
  id: "psh_1",
  userId: asUserId("1"),
  device: {
    provider: "fcm",
    address: "token",
    keys: null,
    deviceId: "phone",
    locale: null,
    tz: null,
  },
  payload: { v: 1, kind: "message", title: "Ann", count: 1, badge: 1, url: "/" },
  topic: "c1",
};
const TOKEN = JSON.stringify({ access_token: "a", expires_in: 3_600 });

interface Said {
  status: number;
  body?: string;
}

/** Sends once for each answer; the outcomes. */
async function outcomes(make: (post: Post) => PushSender, ...answers: Said[]): Promise<string[]> {
  let next: Said = { status: 500 };
  const sender = make(async ({ url }) =>
    url.endsWith("/token")
      ? { status: 200, headers: {}, body: TOKEN, isCut: false }
      : { status: next.status, headers: {}, body: next.body ?? "", isCut: false },
  );
  const found: string[] = [];
  for (const answer of answers) {
    next = answer;
    found.push((await sender.send(push)).is);
  }
  return found;
}

const gateway = (post: Post) =>
  createGatewaySender({ url: "http://gateway/", secret: null, post, clock: new FakeClock() });
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const fcm = (post: Post) =>
  createFcm({
    credentials: {
      projectId: "p",
      clientEmail: "a@example.com",
      privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      tokenUri: "http://fcm/token",
    },
    url: "http://fcm",
    post,
    clock: new FakeClock(),
  });

it("[PVD5] a gateway's 404 and 410 remove the device, from the first push on", async () => {
  const answers = [404, 410, 503, 200].map((status) => ({ status }));
  expect(await outcomes(gateway, ...answers)).toEqual(["gone", "gone", "failed", "sent"]);
});

it("[PVD5] so do FCM's, but for a page that is not FCM's", async () => {
  const unregistered = {
    status: 404,
    body: '{"error":{"details":[{"errorCode":"UNREGISTERED"}]}}',
  };
  const page = { status: 404, body: "<html>Not Found</html>" };
  const answers = [page, unregistered, { status: 404 }];
  expect(await outcomes(fcm, ...answers)).toEqual(["failed", "gone", "gone"]);
});
