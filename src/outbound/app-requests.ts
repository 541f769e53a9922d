/**
 * Requests of the application's actors (`ctx.fetch`). The caller of an actor may have named
 * the address, so the rules of webhooks apply to it. There is one attempt.
 */
import type { Log } from "../base/log.ts";
import {
  APP_FETCH_BYTES_MAX,
  type AppAnswer,
  type AppRequest,
  type AppResponse,
} from "../protocol/app-actors.ts";
import { AddressRefused } from "./addresses.ts";
import type { OutboundAnswer, Post } from "./request.ts";

const TIMEOUT_MS = 10_000;
/** One worker's requests at a time; further ones wait with their actors. */
const UNDERWAY_MAX = 256;

/** Null: too many are under way. Never rejects. */
export type AppFetch = (request: AppRequest, id: string) => Promise<AppAnswer> | null;

export function createAppFetch(post: Post, log: Log): AppFetch {
  let underway = 0;
  async function send({ url, method, headers, body }: AppRequest, id: string): Promise<AppAnswer> {
    underway++;
    try {
      const answer = await post({
        url,
        namer: "service",
        method,
        // A request may be sent again after a crash; its receiver knows it by this.
        headers: { "idempotency-key": id, ...headers },
        body,
        timeoutMs: TIMEOUT_MS,
        answerBytesMax: APP_FETCH_BYTES_MAX,
      });
      return { ok: true, result: responseOf(answer) };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log.warn({ event: "actor_fetch_failed", effect: id, why });
      return error instanceof AddressRefused
        ? { ok: false, error: { code: "forbidden", message: `The address ${why}.` } }
        : { ok: false, error: { code: "unavailable", message: `There was no answer: ${why}.` } };
    } finally {
      underway--;
    }
  }
  return (request, id) => (underway >= UNDERWAY_MAX ? null : send(request, id));
}

function responseOf({ status, headers, body, isCut }: OutboundAnswer): AppResponse {
  const named: Record<string, string> = {};
  for (const [name, value = ""] of Object.entries(headers)) {
    named[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return { status, headers: named, body, ...(isCut && { truncated: true as const }) };
}
