/** Devices, the settings of pushes, and the decisions about them. */
import { ECDH } from "node:crypto";
import type { PushConfig } from "../../../config/push-keys.ts";
import type { JobQueue } from "../../../ports/jobs.ts";
import type { DeviceAddress, DeviceStore } from "../../../ports/push.ts";
import { ok, REFUSALS, type Result, refused } from "../../../protocol/errors.ts";
import { DEVICES_MAX, type DeviceAsked, type Provider } from "../../../protocol/push.ts";
import { asUserId } from "../../../protocol/schemas.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, badField, type Handlers } from "../server/call.ts";

/** As browsers give it: a point of the curve, not compressed, in base64url. */
function isPublicKey(text: string): boolean {
  try {
    const point = Buffer.from(text, "base64url");
    ECDH.convertKey(point, "prime256v1");
    return point.length === 65;
  } catch {
    return false;
  }
}

type Route =
  | "getPushKey"
  | "putDevice"
  | "listDevices"
  | "deleteDevice"
  | "getPush"
  | "updatePush"
  | "listPushes"
  | "opsUserPushes";

export interface PushDeps {
  config: PushConfig;
  devices: DeviceStore;
  jobs: Pick<JobQueue, "add">;
  /** Added with each device: what pushes to it. */
  job: { kind: string; key: string };
  /** Why an endpoint cannot be one, as the end of a sentence. */
  problemOf(endpoint: string): Promise<string | null>;
  publicKey(): Promise<string>;
}

const NO_DEVICE = refused("not_found", "No such device.");
const LOGIN_ENDED = refused("unauthorized", "This login has ended. Log in again.");
const TOO_MANY = refused("conflict", `You have ${DEVICES_MAX} devices. Remove one first.`);

export function pushRoutes({
  config,
  devices,
  jobs,
  job,
  problemOf,
  publicKey,
}: PushDeps): Handlers<Route> {
  const isOn: Record<Provider, boolean> = {
    webpush: true,
    fcm: config.pushUrl !== null || config.fcmCredentials !== null,
    apns: config.pushUrl !== null || config.apnsKey !== null,
  };

  async function addressOf(asked: DeviceAsked): Promise<Result<DeviceAddress>> {
    const { provider, subscription, token } = asked;
    if (provider !== "webpush") {
      if (subscription !== undefined || token === undefined)
        return badField("body", "token", `is what a device of ${provider} has`);
      if (!isOn[provider])
        return refused("conflict", `This server has no credentials for ${provider}.`);
      return ok({ provider, address: token, keys: null });
    }
    if (token !== undefined || subscription === undefined)
      return badField("body", "subscription", "is what a device of webpush has");
    const { endpoint, keys } = subscription;
    const problem = await problemOf(endpoint);
    if (problem !== null) return badField("body", "subscription.endpoint", problem);
    // An own gateway encrypts as it likes.
    if (config.pushUrl === null && !isPublicKey(keys.p256dh))
      return badField("body", "subscription.keys.p256dh", "is no public key on the curve P-256");
    return ok({ provider, address: endpoint, keys });
  }

  return {
    async getPushKey() {
      return answered(200, ok({ public_key: await orUnreachable(publicKey()) }));
    },

    async putDevice({ caller, params, body }) {
      const address = await addressOf(body);
      if (!address.ok) return address;
      const { locale, tz } = body;
      const device = { ...address.value, ...(locale && { locale }), ...(tz && { tz }) };
      const put = await orUnreachable(
        devices.put(caller.userId, params.device_id, caller.family, device),
      );
      if (put === "too_many") return TOO_MANY;
      if (put === "ended") return LOGIN_ENDED;
      await orUnreachable(jobs.add(job));
      return answered(200, ok(put));
    },

    async listDevices({ caller }) {
      return answered(200, ok({ items: await orUnreachable(devices.list(caller.userId)) }));
    },

    async deleteDevice({ caller, params }) {
      const isGone = await orUnreachable(devices.remove(caller.userId, params.device_id));
      return isGone ? answered(204, ok(null)) : NO_DEVICE;
    },

    async getPush({ caller }) {
      const found = devices.settings(caller.userId, null, config.pushContent);
      return answered(200, ok(await orUnreachable(found)));
    },

    async updatePush({ caller, body }) {
      const set = devices.settings(caller.userId, body, config.pushContent);
      return answered(200, ok(await orUnreachable(set)));
    },

    async listPushes({ caller }) {
      const items = await orUnreachable(devices.decisions(caller.userId));
      return answered(200, ok({ items: items ?? [] }));
    },

    async opsUserPushes({ params }) {
      const items = await orUnreachable(devices.decisions(asUserId(params.id)));
      return items === null ? REFUSALS.userNotFound : answered(200, ok({ items }));
    },
  };
}
