/**
 * APNs over HTTP/2, with a token key. One connection is kept, and another one is made when
 * it has ended. The provider's token is renewed before it is an hour old.
 */
import http2 from "node:http2";
import { importPKCS8, SignJWT } from "jose";
import type { Clock } from "../../base/clock.ts";
import type { OutgoingPush, PushSender } from "../../ports/push-senders.ts";
import { epochMsOf, type Monotonic, msBetween } from "../../protocol/time.ts";
import { outcomeOf, unanswered, unlessPage } from "./outcome.ts";

const TIMEOUT_MS = 10_000;
/** APNs refuses a token that is renewed within 20 minutes, and one that is older than 60. */
const TOKEN_MS = 45 * 60_000;
const EXPIRES_S = 86_400;
const ANSWER_CHARS_MAX = 4 * 1024;
const HEADERS_BYTES_MAX = 16 * 1024;

interface ApnsDeps {
  url: string;
  key: string;
  keyId: string;
  teamId: string;
  topic: string;
  clock: Clock;
}

export interface ApnsSender extends PushSender {
  close(): void;
}

export function createApns({ url, key, keyId, teamId, topic, clock }: ApnsDeps): ApnsSender {
  let session: http2.ClientHttp2Session | null = null;
  let token: { text: Promise<string>; madeMs: Monotonic } | null = null;
  let isClosed = false;

  function connected(): http2.ClientHttp2Session {
    if (session !== null && !session.closed && !session.destroyed) return session;
    const fresh = http2.connect(url, { maxSendHeaderBlockLength: HEADERS_BYTES_MAX });
    const forget = () => {
      if (session === fresh) session = null;
    };
    fresh.on("error", forget);
    fresh.on("goaway", forget);
    fresh.on("close", forget);
    fresh.setTimeout(TIMEOUT_MS * 6, () => fresh.close());
    fresh.unref();
    session = fresh;
    return fresh;
  }

  async function sign(): Promise<string> {
    const nowS = Math.floor(epochMsOf(clock.wallMs()) / 1000);
    return new SignJWT()
      .setProtectedHeader({ alg: "ES256", kid: keyId })
      .setIssuer(teamId)
      .setIssuedAt(nowS)
      .sign(await importPKCS8(key, "ES256"));
  }

  function providerToken(): Promise<string> {
    const nowMs = clock.monotonicMs();
    if (token === null || msBetween(token.madeMs, nowMs) >= TOKEN_MS) {
      token = { text: sign(), madeMs: nowMs };
    }
    return token.text;
  }

  function request(
    push: OutgoingPush,
    jwt: string,
  ): Promise<{ status: number; retryAfter: string | undefined; said: string }> {
    return new Promise((resolve, reject) => {
      const { device, payload, topic: collapseId } = push;
      const shows = payload.kind !== "read";
      const nowS = Math.floor(epochMsOf(clock.wallMs()) / 1000);
      const connection = connected();
      const stream = connection.request({
        ":method": "POST",
        ":path": `/3/device/${encodeURIComponent(device.address)}`,
        authorization: `bearer ${jwt}`,
        "apns-topic": topic,
        "apns-push-type": "alert",
        "apns-priority": shows ? "10" : "5",
        "apns-expiration": String(nowS + EXPIRES_S),
        "apns-collapse-id": collapseId,
        "content-type": "application/json",
      });
      let status = 0;
      let retryAfter: string | undefined;
      let said = "";
      // The session is not used again: one that hangs would hang for all.
      stream.setTimeout(TIMEOUT_MS, () => {
        connection.destroy();
        reject(new Error(`no answer within ${TIMEOUT_MS} ms`));
      });
      stream.setEncoding("utf8");
      stream.on("response", (headers) => {
        status = headers[":status"] ?? 0;
        const after = headers["retry-after"];
        retryAfter = Array.isArray(after) ? after[0] : after;
      });
      stream.on("data", (text: string) => {
        if (said.length < ANSWER_CHARS_MAX) said += text;
      });
      stream.on("error", reject);
      stream.on("close", () => reject(new Error("the connection ended without an answer")));
      stream.on("end", () => {
        if (status === 0) reject(new Error("the connection ended without an answer"));
        else resolve({ status, retryAfter, said });
      });
      stream.end(JSON.stringify(noteOf(push)));
    });
  }

  return {
    hostOf: () => url,

    async send(push) {
      if (isClosed) return unanswered(new Error("this host is stopping"));
      try {
        const { status, retryAfter, said } = await request(push, await providerToken());
        if (status === 403) token = null;
        const outcome = outcomeOf(status, retryAfter, said, epochMsOf(clock.wallMs()));
        return unlessPage(outcome, said);
      } catch (error) {
        // No answer: refused, cut off, or too late.
        return unanswered(error);
      }
    },

    close() {
      isClosed = true;
      session?.destroy();
    },
  };
}

/** A `read` push only changes the badge; the app takes away what it shows. */
function noteOf({ payload, topic }: OutgoingPush): object {
  const { kind, title, body, badge } = payload;
  if (kind === "read") return { aps: { badge, "content-available": 1 }, ...payload };
  const alert = { title, ...(body !== undefined && { body }) };
  const aps = { alert, badge, sound: "default", "thread-id": topic, "mutable-content": 1 };
  return { aps, ...payload };
}
