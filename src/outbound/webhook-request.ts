/** A request to a webhook: one event, or a batch of one key, signed. */
import type { OutsideEvent } from "../protocol/outside-events.ts";
import type { OutboundRequest } from "./request.ts";
import { signedHeaders } from "./signature.ts";

/** More of an answer is not read. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** The request that carries events of one key, signed at this moment. `links` writes the addresses of files. */
export function webhookRequest(
  { url, secrets }: { url: string; secrets: readonly string[] },
  events: readonly OutsideEvent[],
  isBatch: boolean,
  nowMs: number,
  links: (text: string) => string = (text) => text,
): Omit<OutboundRequest, "timeoutMs"> {
  const body = links(JSON.stringify(isBatch ? { events } : events[0]));
  const signed = { id: events[0]!.id, timestampS: Math.floor(nowMs / 1000), body };
  return {
    url,
    namer: "service",
    headers: signedHeaders(signed, secrets),
    body,
    answerBytesMax: ANSWER_BYTES_MAX,
  };
}
