/**
 * Control frames: rare messages between the primary and its workers, as JSON bodies of
 * `FRAME.control`. A `corr` other than 0 wants a `FRAME.answer` with the same `corr`.
 */

import { Malformed } from "../base/errors.ts";
import type { WorkerConfig } from "../config/config.ts";
import type { RenewalOrder } from "../config/extensions.ts";
import type { TlsPair } from "../config/tls-pair.ts";
import type { OpsQuestion } from "../ports/ops.ts";
import type { Doubt } from "../protocol/doubt.ts";

export interface PrimaryOrders {
  /** First frame on every pipe. */
  configure: { config: WorkerConfig; incarnation: string; slot: string; tls: TlsMaterial | null };
  /**
   * Announce the drain to sessions, flush actors, report `drained`, and expect to be ended.
   * Answered when the drain has been announced: then the port may close.
   */
  drain: { deadline_ms: number };
  /**
   * Asks, answers and tells between this host and `host` ("": every other host) may be lost:
   * asks are sent again, edges announce their sessions again, and actors treat the sessions of
   * that host as doubtful until they are announced.
   */
  gap: { host: string };
  /** Events of these topics may not have arrived: edges read what they missed. */
  doubt: Doubt;
  /** A new certificate, for connections from now on. Answered with null, or with what is wrong. */
  tls: TlsMaterial;
  /**
   * The application's files were loaded again. Answered with null, or with why the worker cannot
   * use them.
   */
  extensions: RenewalOrder;
  /** An outside token issuer has changed its keys. */
  issuer_keys: IssuerKeySet;
  /** Answer with prom-client's `getMetricsAsJSON()` of this worker. */
  metrics: Record<string, never>;
  /** Answer with this worker's `WorkerAnswers` to the question. */
  ops: OpsQuestion;
  /** A writer of this host has no connection: give back those that reads can do without. */
  spare_connections: Record<string, never>;
}

export interface WorkerReports {
  /**
   * The worker is configured, its thread runs and the database is reached: it may get sockets and
   * actors.
   */
  online: Record<string, never>;
  drained: Record<string, never>;
  /**
   * Whether the worker's writer can commit: at each change, and every second while it cannot.
   * `why` is for operators.
   */
  writable: { trouble: { reason: string; why: string } | null };
  /** Handed-over TLS connections that have sent a request, or are gone. */
  settled: { tickets: number[] };
  /** Handed-over connections that have ended, by address as limits count them. */
  connections_ended: Record<string, number>;
  /** Answered with `HostMetrics`. */
  gather_metrics: Record<string, never>;
  /** Answered with `HostHealth`; for /readyz. */
  host_health: Record<string, never>;
  /** Answered with the `ClusterAnswers` of all hosts to the question. */
  ops: OpsQuestion;
  /** Answered with `IssuerKeySet | null`; `newer`: read again first, if that was not just done. */
  issuer_keys: { newer: boolean };
}

/** An outside issuer's public keys, as JSON text of a JWKS; `version` rises with each change. */
export interface IssuerKeySet {
  keys: string;
  version: number;
}

/** The TLS certificate and session-ticket keys of a worker. */
export interface TlsMaterial extends TlsPair {
  /** 48 bytes in base64, the same for all workers of a host: any of them resumes a session. */
  ticketKeys: string;
}

/** One prom-client registry in JSON for each worker that answered in time, and the primary's. */
export interface HostMetrics {
  registries: unknown[];
}

export interface HostHealth {
  workers: number;
  workersOnline: number;
  /** "none" where no REDIS_URL is set. */
  relay: "none" | "connected" | "away";
  /** Why the host serves only in part: Redis is away, or nothing can be committed. */
  degraded: string[];
  draining: boolean;
}

/**
 * With a socket over the cluster's IPC channel: a connection that the front door hands over,
 * with the bytes it has read. `api` for the HTTP server, `engine` for a WebSocket handshake,
 * `tls` for a TLS handshake, whose ticket comes back in `settled`.
 */
export type SocketHandover = {
  type: typeof SOCKET_HANDOVER;
  /** The peer's address, which a connection that has ended meanwhile no longer knows. */
  address: string;
} & Handed;
const SOCKET_HANDOVER = "troupe:socket";

export type Handed =
  | { kind: "api" | "engine"; head: Buffer }
  | { kind: "tls"; head: Buffer; ticket: number };

/** Whether a message on the IPC channel is meant for us: libraries use the channel as well. */
export function isForTroupe(message: unknown): message is { type: typeof SOCKET_HANDOVER } {
  return (
    typeof message === "object" &&
    message !== null &&
    "type" in message &&
    message.type === SOCKET_HANDOVER
  );
}

export function isSocketHandover(message: {
  type: typeof SOCKET_HANDOVER;
}): message is SocketHandover {
  if (!("kind" in message) || !("head" in message) || !Buffer.isBuffer(message.head)) return false;
  if (!("address" in message) || typeof message.address !== "string") return false;
  if (message.kind === "api" || message.kind === "engine") return true;
  return message.kind === "tls" && "ticket" in message && typeof message.ticket === "number";
}

/** From JSON text of another process. Throws Malformed or a SyntaxError. */
export function readOpsQuestion(text: string): OpsQuestion {
  const value: unknown = JSON.parse(text);
  if (!isOpsQuestion(value)) throw new Malformed("a question of operators");
  return value;
}

function isOpsQuestion(value: unknown): value is OpsQuestion {
  if (typeof value !== "object" || value === null || !("ask" in value)) return false;
  if (value.ask === "vitals") return true;
  if (value.ask !== "sessions" && value.ask !== "end_sessions") return false;
  return "user" in value && typeof value.user === "string";
}
