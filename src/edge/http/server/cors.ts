/**
 * Cross-origin rules: any origin by default, never with credentials (tokens travel in a
 * header that pages set themselves); CORS_ORIGIN narrows it to a list.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { originMatcher } from "../../../config/origins.ts";

/** Adds the headers of an answer. */
export type Cors = (request: FastifyRequest, reply: FastifyReply) => void;

const ALLOW_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE";
/** A wildcard would not cover `authorization` (Fetch standard, CORS protocol). */
const ALLOW_HEADERS = "authorization, content-type, x-request-id";
const EXPOSE_HEADERS = "retry-after, allow, x-request-id";
/** Browsers cap it at two hours (Chromium) or a day (Firefox). */
const MAX_AGE_S = "7200";

export function createCors(origins: readonly string[] | null): Cors {
  if (origins === null || origins.includes("*")) {
    return (_request, reply) => {
      reply.header("access-control-allow-origin", "*");
      reply.header("access-control-expose-headers", EXPOSE_HEADERS);
    };
  }
  const isAllowed = originMatcher(origins);
  return (request, reply) => {
    reply.header("vary", "Origin");
    const { origin } = request.headers;
    if (origin === undefined || !isAllowed(origin)) return;
    reply.header("access-control-allow-origin", origin);
    reply.header("access-control-expose-headers", EXPOSE_HEADERS);
  };
}

/** Whether an OPTIONS request is a browser asking leave. */
export function isPreflight(request: FastifyRequest): boolean {
  const { headers } = request;
  return headers.origin !== undefined && "access-control-request-method" in headers;
}

export function allowPreflight(reply: FastifyReply): void {
  reply.header("access-control-allow-methods", ALLOW_METHODS);
  reply.header("access-control-allow-headers", ALLOW_HEADERS);
  reply.header("access-control-max-age", MAX_AGE_S);
}
