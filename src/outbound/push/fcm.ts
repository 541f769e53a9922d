/**
 * FCM's HTTP v1 API. An access token is asked for with a JWT of the service account, and used until
 * shortly before it ends, or until it is refused.
 */
import { importPKCS8, SignJWT } from "jose";
import type { Clock } from "../../base/clock.ts";
import type { FcmCredentials } from "../../config/push-keys.ts";
import type { OutgoingPush, PushSender } from "../../ports/push-senders.ts";
import { epochMsOf, later, type Monotonic, msBetween } from "../../protocol/time.ts";
import type { Post } from "../request.ts";
import { outcomeOf, unanswered, unlessPage } from "./outcome.ts";

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 16 * 1024;
const SCOPE = "https://www.googleapis.com/auth/firebase.messaging";
const GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ASSERTION_S = 3_600;
const SPARE_MS = 60_000;
const TTL = "86400s";

interface FcmDeps {
  credentials: FcmCredentials;
  url: string;
  post: Post;
  clock: Clock;
}

interface Access {
  token: string;
  untilMs: Monotonic;
}

export function createFcm({ credentials, url, post, clock }: FcmDeps): PushSender {
  const address = `${url.replace(/\/$/, "")}/v1/projects/${credentials.projectId}/messages:send`;
  let access: Promise<Access> | null = null;

  async function ask(): Promise<Access> {
    const key = await importPKCS8(credentials.privateKey, "RS256");
    const nowMs = clock.monotonicMs();
    const nowS = Math.floor(epochMsOf(clock.wallMs()) / 1000);
    const assertion = await new SignJWT({ scope: SCOPE })
      .setProtectedHeader({ alg: "RS256", typ: "JWT" })
      .setIssuer(credentials.clientEmail)
      .setAudience(credentials.tokenUri)
      .setIssuedAt(nowS)
      .setExpirationTime(nowS + ASSERTION_S)
      .sign(key);
    const answer = await post({
      url: credentials.tokenUri,
      namer: "operator",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ grant_type: GRANT, assertion }).toString(),
      timeoutMs: TIMEOUT_MS,
      answerBytesMax: ANSWER_BYTES_MAX,
    });
    if (answer.status !== 200) throw new Error(`no access token: ${answer.status} ${answer.body}`);
    const { access_token, expires_in } = JSON.parse(answer.body) as Record<string, unknown>;
    if (typeof access_token !== "string") throw new Error("an answer without an access token");
    const lastsMs = typeof expires_in === "number" ? expires_in * 1000 : ASSERTION_S * 1000;
    return { token: access_token, untilMs: later(nowMs, lastsMs - SPARE_MS) };
  }

  /** One question at a time. */
  async function token(): Promise<string> {
    const known = access;
    if (known !== null) {
      const { token: text, untilMs } = await known;
      if (msBetween(clock.monotonicMs(), untilMs) > 0) return text;
      if (access === known) access = null;
    }
    access ??= ask().catch((error: unknown) => {
      access = null;
      throw error;
    });
    return (await access).token;
  }

  return {
    hostOf: () => address,

    async send(push) {
      try {
        const answer = await post({
          url: address,
          namer: "operator",
          headers: { authorization: `Bearer ${await token()}` },
          body: JSON.stringify({ message: messageOf(push) }),
          timeoutMs: TIMEOUT_MS,
          answerBytesMax: ANSWER_BYTES_MAX,
        });
        if (answer.status === 401) access = null;
        const nowMs = epochMsOf(clock.wallMs());
        const { status, headers } = answer;
        const outcome = outcomeOf(status, headers["retry-after"], answer.body, nowMs);
        return unlessPage(outcome, answer.body);
      } catch (error) {
        // No answer: refused, cut off, or too late; or there is no access token.
        return unanswered(error);
      }
    },
  };
}

/** All values of `data` are texts. A `read` push shows nothing. */
function messageOf({ device, payload, topic }: OutgoingPush): object {
  const { title, body } = payload;
  const shows = payload.kind !== "read";
  return {
    token: device.address,
    data: Object.fromEntries(Object.entries(payload).map(([name, value]) => [name, String(value)])),
    ...(shows && { notification: { title, ...(body !== undefined && { body }) } }),
    android: {
      priority: shows ? "high" : "normal",
      collapse_key: topic,
      ttl: TTL,
      ...(shows && { notification: { tag: topic, notification_count: payload.badge } }),
    },
  };
}
