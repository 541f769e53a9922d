/** PUSH_URL: the operator's own gateway is posted every push, signed as webhooks are. */
import type { Clock } from "../../base/clock.ts";
import type { PushSender } from "../../ports/push-senders.ts";
import { epochMsOf } from "../../protocol/time.ts";
import type { Post } from "../request.ts";
import { signedHeaders } from "../signature.ts";
import { outcomeOf, unanswered } from "./outcome.ts";

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 4 * 1024;

interface GatewayDeps {
  url: string;
  secret: string | null;
  post: Post;
  clock: Clock;
}

export function createGatewaySender({ url, secret, post, clock }: GatewayDeps): PushSender {
  return {
    hostOf: () => url,

    async send({ id, userId, device, payload, topic }) {
      const { provider, address, keys, deviceId, locale, tz } = device;
      const where =
        provider === "webpush" ? { subscription: { endpoint: address, keys } } : { token: address };
      const body = JSON.stringify({
        id,
        user_id: userId,
        device: { device_id: deviceId, provider, ...where, locale, tz },
        topic,
        payload,
      });
      const nowMs = epochMsOf(clock.wallMs());
      const signed = { id, timestampS: Math.floor(nowMs / 1000), body };
      try {
        const answer = await post({
          url,
          namer: "operator",
          headers: signedHeaders(signed, secret === null ? [] : [secret]),
          body,
          timeoutMs: TIMEOUT_MS,
          answerBytesMax: ANSWER_BYTES_MAX,
        });
        const { status, headers } = answer;
        return outcomeOf(status, headers["retry-after"], answer.body, nowMs);
      } catch (error) {
        // No answer: refused, cut off, or too late.
        return unanswered(error);
      }
    },
  };
}
