/** One sender for all providers: the operator's gateway where there is one, else the device's own. */
import type { Clock } from "../../base/clock.ts";
import type { PushConfig, VapidKeys } from "../../config/push-keys.ts";
import type { PushSender } from "../../ports/push-senders.ts";
import type { Provider } from "../../protocol/push.ts";
import type { Post } from "../request.ts";
import { createApns } from "./apns.ts";
import { createFcm } from "./fcm.ts";
import { createGatewaySender } from "./gateway.ts";
import { createWebPush } from "./web-push.ts";

interface SenderDeps {
  config: PushConfig & { hookSecret: string | null };
  post: Post;
  keys(): Promise<VapidKeys>;
  clock: Clock;
}

export function createPushSender({ config, post, keys, clock }: SenderDeps): PushSender & {
  close(): void;
} {
  const { pushUrl, fcmCredentials, apnsKey, apnsKeyId, apnsTeamId, apnsTopic } = config;
  if (pushUrl !== null) {
    const deps = { url: pushUrl, secret: config.hookSecret, post, clock };
    return { ...createGatewaySender(deps), close: () => undefined };
  }
  const apns =
    apnsKey === null || apnsKeyId === null || apnsTeamId === null || apnsTopic === null
      ? null
      : createApns({
          url: config.apnsUrl,
          key: apnsKey,
          keyId: apnsKeyId,
          teamId: apnsTeamId,
          topic: apnsTopic,
          clock,
        });
  const senders: Record<Provider, PushSender | null> = {
    webpush: createWebPush({ post, keys, subject: config.vapidSubject, clock }),
    fcm:
      fcmCredentials === null
        ? null
        : createFcm({ credentials: fcmCredentials, url: config.fcmUrl, post, clock }),
    apns,
  };
  return {
    hostOf: (device) => senders[device.provider]?.hostOf(device) ?? device.provider,
    async send(push) {
      const { provider } = push.device;
      const sender = senders[provider];
      if (sender !== null) return sender.send(push);
      return { is: "refused", detail: `this server has no credentials for ${provider}` };
    },
    close: () => apns?.close(),
  };
}
