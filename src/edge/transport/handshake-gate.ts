/**
 * The checks before Engine.IO: the origins that CORS_ORIGIN allows, the headers of its answers, and,
 * behind a proxy, the rate of new sessions of one client's address, which the front door cannot see
 * there. It is an Engine.IO middleware and answers refused requests itself.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";
import type { WorkerConfig } from "../../config/config.ts";
import { originMatcher } from "../../config/origins.ts";
import { type ErrorObject, refused } from "../../protocol/errors.ts";
import { KeyedBuckets } from "../limits/keyed-buckets.ts";
import { tooMany } from "../limits/limits.ts";
import { type ClientReader, createClientReader } from "./client-address.ts";
import { createSecurityHeaders } from "./security-headers.ts";

export interface HandshakeGateDeps {
  config: WorkerConfig;
  clock: Clock;
  /** Hears of each refusal. */
  count(code: string): void;
}

/** As Engine.IO calls it; for an upgrade `response` can only keep headers and be ended. */
export type EngineMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
) => void;

const FOREIGN = refused("forbidden", "This origin is not allowed here.").error;

export interface HandshakeGate {
  middleware: EngineMiddleware;
  /** The same for an upgrade that does not go to Engine.IO. */
  passes(request: IncomingMessage): boolean;
}

export function createHandshakeGate(deps: HandshakeGateDeps): HandshakeGate {
  const { config, clock } = deps;
  const clients = createClientReader(config.trustProxy);
  const secure = createSecurityHeaders(clients);
  const isListed = originMatcher(config.corsOrigin);
  const takes = createRate(config, clients, clock);

  /** A page of an origin that is neither on the list nor our own. Other clients send no Origin. */
  function isForeign({ headers: { origin, host } }: IncomingMessage): boolean {
    if (origin === undefined || isListed(origin)) return false;
    return !URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase();
  }

  function judge(request: IncomingMessage): ErrorObject | null {
    const refusal = isForeign(request) ? FOREIGN : takes(request);
    if (refusal !== null) deps.count(refusal.code);
    return refusal;
  }

  function passes(request: IncomingMessage): boolean {
    const refusal = judge(request);
    if (refusal !== null) refuseUpgrade(request, refusal);
    return refusal === null;
  }

  return {
    passes,
    middleware(request, response, next) {
      if (request.headers.upgrade !== undefined) {
        if (passes(request)) next();
        return;
      }
      // They are for what a browser can show; a handshake's answer shows nothing.
      secure(request, (name, value) => response.setHeader(name, value));
      const refusal = judge(request);
      if (refusal === null) next();
      else refuse(response, refusal);
    },
  };
}

/** Each worker allows its share of the rate: a proxy's connections are spread over the workers. */
function createRate(
  config: WorkerConfig,
  clients: ClientReader,
  clock: Clock,
): (request: IncomingMessage) => ErrorObject | null {
  if (!config.rateLimits || config.trustProxy === false) return () => null;
  const share = (whole: number) => Math.max(1, whole / config.workers);
  const buckets = new KeyedBuckets({
    perS: share(config.connectionRatePerS),
    burst: share(config.connectionBurst),
  });
  return (request) => {
    if (/[?&]sid=/.test(request.url ?? "")) return null;
    const waitMs = buckets.take(clients.addressOf(request), clock.monotonicMs());
    return waitMs === 0 ? null : tooMany(waitMs);
  };
}

function refuse(response: ServerResponse, error: ErrorObject): void {
  response.writeHead(statusOf(error).code, headersOf(error));
  response.end(bodyOf(error));
}

function refuseUpgrade(request: IncomingMessage, error: ErrorObject): void {
  const { code, text } = statusOf(error);
  const body = bodyOf(error);
  const headers = { ...headersOf(error), "Content-Length": Buffer.byteLength(body) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const { socket } = request;
  socket.end(`HTTP/1.1 ${code} ${text}\r\n${lines.join("")}\r\n${body}`, () => socket.destroy());
}

function statusOf({ code }: ErrorObject): { code: number; text: string } {
  return code === "rate_limited"
    ? { code: 429, text: "Too Many Requests" }
    : { code: 403, text: "Forbidden" };
}

function headersOf({ retry_after_ms }: ErrorObject): Record<string, string> {
  return {
    "Content-Type": "application/json; charset=utf-8",
    Connection: "close",
    ...(retry_after_ms !== undefined && {
      "Retry-After": String(Math.ceil(retry_after_ms / 1000)),
    }),
  };
}

function bodyOf(error: ErrorObject): string {
  return JSON.stringify({ error });
}
