/**
 * Answers requests without a handler: unknown addresses, wrong methods, preflights, and faults,
 * fastify's own refusals among them. The address of a fault goes to the log, never to the client.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { REFUSALS, refused } from "../../../protocol/errors.ts";
import { StorageUnreachable } from "../../storage-reachable.ts";
import { allowPreflight, isPreflight } from "./cors.ts";
import { createAllowedMethods } from "./known-paths.ts";
import type { Replies } from "./replies.ts";

const NO_ROUTE = refused("not_found", "There is no such address.").error;
const NOT_JSON_TYPE = refused("unsupported_media_type", "Send the body as application/json.").error;

export function addFallbacks(
  app: FastifyInstance,
  replies: Replies,
  log: Logger,
  routes: Iterable<{ method: string; path: string }>,
): void {
  const allowedMethods = createAllowedMethods(routes);

  app.setNotFoundHandler((request, reply) => {
    const allowed = allowedMethods(pathOf(request.url));
    const asksLeave = isPreflight(request) && request.url.startsWith("/api/");
    if (request.method === "OPTIONS" && (allowed.length > 0 || asksLeave)) {
      reply.header("allow", allowed.join(", "));
      if (asksLeave) allowPreflight(request, reply);
      replies.send(request, reply, 204, null);
    } else if (allowed.length > 0) {
      reply.header("allow", allowed.join(", "));
      const { method } = request;
      const error = refused("method_not_allowed", `${method} is not possible here.`).error;
      replies.refuse(request, reply, error);
    } else replies.refuse(request, reply, NO_ROUTE);
  });

  app.setErrorHandler((error, request, reply) => {
    answerFault(request, reply, error, replies, log);
  });
}

export function answerFault(
  request: FastifyRequest,
  reply: FastifyReply,
  fault: unknown,
  replies: Replies,
  log: Logger,
): void {
  const status = (fault as { statusCode?: unknown } | null)?.statusCode;
  if (status === 415) {
    replies.refuse(request, reply, NOT_JSON_TYPE);
    return;
  }
  if (typeof status === "number" && status >= 400 && status < 500) {
    const message = fault instanceof Error ? fault.message : "The request is not valid.";
    replies.refuse(request, reply, refused("invalid_payload", message).error);
    return;
  }
  const isOutOfReach = fault instanceof StorageUnreachable;
  log.error({
    event: isOutOfReach ? "storage_out_of_reach" : "http_fault",
    request_id: request.id,
    route: `${request.method} ${request.routeOptions.url ?? "unknown"}`,
    err: isOutOfReach ? fault.cause : fault,
  });
  replies.refuse(request, reply, (isOutOfReach ? REFUSALS.unavailable : REFUSALS.internal).error);
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}
