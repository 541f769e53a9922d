/**
 * What the answers of an address mean that the operator has set.
 *
 * [PVD5] An address with a mistake in it answers 404, and takes no device away.
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

it("[PVD5] a gateway's 404 counts once the gateway is known to be one", async () => {
  const answers = [404, 404, 503, 200, 404].map((status) => ({ status }));
  expect(await outcomes(gateway, ...answers)).toEqual([
    ...["failed", "failed", "failed"],
    ...["sent", "gone"],
  ]);
  expect(await outcomes(gateway, { status: 410 }, { status: 404 })).toEqual(["gone", "gone"]);
});

it("[PVD5] FCM names a token that is not in use, and a wrong project says 404 to all", async () => {
  const unregistered = {
    status: 404,
    body: '{"error":{"details":[{"errorCode":"UNREGISTERED"}]}}',
  };
  const page = { status: 404, body: "<html>Not Found</html>" };
  expect(await outcomes(fcm, page, unregistered)).toEqual(["failed", "gone"]);
});
