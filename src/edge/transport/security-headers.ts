/**
 * The security headers of every answer. The page's own policy, which has to allow its scripts, is in
 * pages.ts.
 */
import type { IncomingMessage } from "node:http";
import type { ClientReader } from "./client-address.ts";

/** A year. Not for subdomains: they may be somebody else's. */
const HSTS = "max-age=31536000";

const NO_DOCUMENT = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
} as const;

/** One name and value after the other. */
export type SecurityHeaders = (
  request: IncomingMessage,
  set: (name: string, value: string) => void,
) => void;

/** Sent over TLS only: browsers ignore it over plain HTTP (RFC 6797, 7.2). */
export function createTransportSecurity(clients: ClientReader): SecurityHeaders {
  return (request, set) => {
    if (clients.isEncrypted(request)) set("strict-transport-security", HSTS);
  };
}

/** For what is no page: an API's answer, rendered as one, may load and frame nothing. */
export function createSecurityHeaders(clients: ClientReader): SecurityHeaders {
  const transport = createTransportSecurity(clients);
  return (request, set) => {
    for (const name of Object.keys(NO_DOCUMENT) as (keyof typeof NO_DOCUMENT)[]) {
      set(name, NO_DOCUMENT[name]);
    }
    transport(request, set);
  };
}
