/**
 * Names every request, so that an answer can be found in the log: the id that the client or its
 * proxy sent as `X-Request-Id`, or a new one, which the answer carries in the same header.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

export const REQUEST_ID = "x-request-id";

/** Printable ASCII without spaces, so that it cannot break a header or a line of the log. */
const SENT = /^[\x21-\x7e]{1,128}$/;

/** As fastify takes it. */
export function requestIds(): (request: Pick<IncomingMessage, "headers">) => string {
  const prefix = randomBytes(6).toString("base64url");
  let count = 0;
  return ({ headers }) => {
    const sent = headers[REQUEST_ID];
    return typeof sent === "string" && SENT.test(sent)
      ? sent
      : `${prefix}-${(count++).toString(36)}`;
  };
}
