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
/** The further headers that clients of tus send and read. */
const UPLOAD_PATH = "/api/files/tus";
const UPLOAD_ALLOW_HEADERS = `${ALLOW_HEADERS}, tus-resumable, upload-length, upload-metadata, upload-offset, x-http-method-override`;
const UPLOAD_EXPOSE_HEADERS = `${EXPOSE_HEADERS}, location, tus-resumable, tus-version, tus-extension, tus-max-size, upload-length, upload-metadata, upload-offset`;
/** Browsers cap it at two hours (Chromium) or a day (Firefox). */
const MAX_AGE_S = "7200";

export function createCors(origins: readonly string[] | null): Cors {
  if (origins === null || origins.includes("*")) {
    return (request, reply) => {
      reply.header("access-control-allow-origin", "*");
      reply.header("access-control-expose-headers", exposedBy(request));
    };
  }
  const isAllowed = originMatcher(origins);
  return (request, reply) => {
    reply.header("vary", "Origin");
    const { origin } = request.headers;
    if (origin === undefined || !isAllowed(origin)) return;
    reply.header("access-control-allow-origin", origin);
    reply.header("access-control-expose-headers", exposedBy(request));
  };
}

function exposedBy({ url }: FastifyRequest): string {
  return url.startsWith(UPLOAD_PATH) ? UPLOAD_EXPOSE_HEADERS : EXPOSE_HEADERS;
}

/** Whether an OPTIONS request is a browser asking leave. */
export function isPreflight(request: FastifyRequest): boolean {
  const { headers } = request;
  return headers.origin !== undefined && "access-control-request-method" in headers;
}

export function allowPreflight({ url }: FastifyRequest, reply: FastifyReply): void {
  const headers = url.startsWith(UPLOAD_PATH) ? UPLOAD_ALLOW_HEADERS : ALLOW_HEADERS;
  reply.header("access-control-allow-methods", ALLOW_METHODS);
  reply.header("access-control-allow-headers", headers);
  reply.header("access-control-max-age", MAX_AGE_S);
}
