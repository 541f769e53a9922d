/** Web Push: encrypted for the browser (RFC 8291) and signed with the deployment's keys (RFC 8292). */
import webPush from "web-push";
import type { Clock } from "../../base/clock.ts";
import type { VapidKeys } from "../../config/push-keys.ts";
import type { PushSender } from "../../ports/push-senders.ts";
import { epochMsOf } from "../../protocol/time.ts";
import type { Post } from "../request.ts";
import { outcomeOf, unanswered } from "./outcome.ts";

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 4 * 1024;
/** How long the service keeps it for a browser that does not run. */
const TTL_S = 86_400;

interface WebPushDeps {
  post: Post;
  keys(): Promise<VapidKeys>;
  subject: string;
  clock: Clock;
}

export function createWebPush({ post, keys, subject, clock }: WebPushDeps): PushSender {
  return {
    hostOf: ({ address }) => (URL.canParse(address) ? new URL(address).host : address),

    async send({ device, payload, topic }) {
      try {
        const { publicKey, privateKey } = await keys();
        const subscription = { endpoint: device.address, keys: device.keys! };
        const { endpoint, headers, body } = webPush.generateRequestDetails(
          subscription,
          JSON.stringify(payload),
          {
            vapidDetails: { subject, publicKey, privateKey },
            TTL: TTL_S,
            topic,
            urgency: "high",
            contentEncoding: "aes128gcm",
          },
        );
        const answer = await post({
          url: endpoint,
          namer: "device",
          headers: textsOf(headers),
          body,
          timeoutMs: TIMEOUT_MS,
          answerBytesMax: ANSWER_BYTES_MAX,
        });
        const nowMs = epochMsOf(clock.wallMs());
        // What a user has named may not be read through its answers.
        return outcomeOf(answer.status, answer.headers["retry-after"], "", nowMs);
      } catch (error) {
        // No answer: refused, cut off, too late, or an address that may not be called.
        return unanswered(error);
      }
    },
  };
}

/** Each request has its length from its body. */
function textsOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name.toLowerCase() !== "content-length")
      .map(([name, value]) => [name.toLowerCase(), String(value)]),
  );
}
