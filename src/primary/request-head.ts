/**
 * Routes a connection by the head of its first request. Pure: bytes in,
 * route out. It reads the target and the query as Engine.IO does (src: engine.io `attach`,
 * `prepare`), and predicts what @socket.io/sticky will make of the same bytes: sticky takes the
 * first `sid=` anywhere in the head (a cookie's, another parameter's), and tunnels through IPC
 * everything that mentions a length anywhere. Requests that sticky would misread do not go to it.
 */
import { withoutBasePath } from "../base/base-path.ts";

export type Route =
  /** Worker's HTTP server, any worker. */
  | { to: "api" }
  /** Worker's Socket.IO server, any worker: it begins a session. */
  | { to: "engine" }
  /** The worker that has the session: through sticky, or handed over directly. */
  | { to: "session"; sid: string; via: "sticky" | "direct"; tunnelled: boolean }
  | { to: "refused"; why: string };

/** Socket.IO's path of the contract, with the slash: Engine.IO compares just this prefix. */
const ENGINE_PATH = "/socket.io/";
const SID = /^[\w-]{20}$/;
/** As in sticky 2.0.1. */
const STICKY_SID = /sid=([\w-]{20})/;
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([^\s]+) HTTP\/1\.[01]$/;
/** A method and a space, as far as they have arrived. */
const REQUEST_START = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}(?: |$)/;

/** Whether the bytes so far can still become a request. */
export function maybeRequest(bytes: Buffer): boolean {
  const start = bytes.toString("latin1", 0, 34).replace(/^[\r\n]+/, "");
  return start === "" || REQUEST_START.test(start);
}

/**
 * `head`: the request line and headers, without the empty line that ends them. `basePath`: the
 * prefix that the target may have.
 */
export function routeOf(head: string, basePath = ""): Route {
  const lines = head.split("\r\n");
  const match = REQUEST_LINE.exec(lines[0]!);
  if (match === null) return { to: "refused", why: "This is not an HTTP/1.1 request." };
  const method = match[1]!;
  const target = withoutBasePath(match[2]!, basePath);
  if (!target.startsWith(ENGINE_PATH)) return { to: "api" };

  const sids = sidsOf(target);
  if (sids.length === 0) return { to: "engine" };
  if (sids.length > 1) return { to: "refused", why: "The query names more than one sid." };
  const sid = sids[0]!;
  // It is not a session id; Engine.IO answers that itself.
  if (!SID.test(sid)) return { to: "engine" };

  const found = STICKY_SID.exec(head)?.[1] === sid;
  const tunnelled = mentionsLength(head);
  // A tunnelled upgrade hides its back-pressure, and a tunnelled GET its answer's; only the
  // bodies of long-polling need the tunnel.
  const fits = found && (!tunnelled || (method === "POST" && !upgrades(lines)));
  return { to: "session", sid, via: fits ? "sticky" : "direct", tunnelled: fits && tunnelled };
}

function sidsOf(target: string): string[] {
  const queryAt = target.indexOf("?");
  if (queryAt === -1) return [];
  const fragmentAt = target.indexOf("#", queryAt);
  const query = target.slice(queryAt + 1, fragmentAt === -1 ? undefined : fragmentAt);
  // Engine.IO treats an empty sid as none.
  return new URLSearchParams(query).getAll("sid").filter((sid) => sid !== "");
}

function mentionsLength(head: string): boolean {
  const lower = head.toLowerCase();
  return lower.includes("content-length:") || lower.includes("transfer-encoding:");
}

function upgrades(lines: string[]): boolean {
  return lines.some((line) => /^upgrade\s*:/i.test(line));
}
