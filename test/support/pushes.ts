/** People with devices, and what was pushed to them through a gateway of the operator's own. */

import type { Device, Provider, PushDecision, PushPayload } from "../../src/protocol/push.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { expectStatus, type Person } from "./person.ts";
import type { Receiver } from "./receiver.ts";

/** What PUSH_URL is posted. */
export interface PostedPush {
  id: string;
  user_id: string;
  device: { device_id: string; provider: Provider; token?: string };
  topic: string;
  payload: PushPayload;
}

export const postedTo = ({ received }: Receiver): PostedPush[] =>
  received.map(({ body }) => JSON.parse(body) as PostedPush);

/** A phone, a tablet and a browser. */
export const DEVICES = { phone: "fcm", tablet: "apns", browser: "webpush" } as const;
export const DEVICE_COUNT = Object.keys(DEVICES).length;

const KEYS = { p256dh: "B".repeat(87), auth: "A".repeat(22) };

export async function registersDevices(person: Person): Promise<void> {
  for (const [id, provider] of Object.entries(DEVICES)) {
    const address = `${person.id}-${id}`;
    const where =
      provider === "webpush"
        ? { subscription: { endpoint: `https://1.1.1.1/${address}`, keys: KEYS } }
        : { token: address };
    const path = `/api/me/devices/${id}`;
    expectStatus(await person.api.put<Device>(path, { provider, ...where }), 200);
  }
}

export async function decisionsOf(person: Person): Promise<PushDecision[]> {
  const path = "/api/me/pushes";
  return expectStatus(await person.api.get<{ items: PushDecision[] }>(path), 200).items;
}

export async function sends(
  person: Person,
  conversation: string,
  body: string,
  more: object = {},
): Promise<Message> {
  const path = `/api/conversations/${conversation}/messages`;
  const payload = { client_id: person.nextClientId(), body, ...more };
  return expectStatus(await person.api.post<Message>(path, payload), 201);
}
