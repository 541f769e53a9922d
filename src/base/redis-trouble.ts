/**
 * Why Redis cannot be used, as one sentence for operators: in the log, in `/readyz`, at `/ops` and
 * by `troupe doctor`. It names no password and no URL.
 */
import { errorCode } from "./errors.ts";

/** The first words of what Redis answers. */
const ANSWERS: readonly [string, string][] = [
  ["WRONGPASS", "Redis refuses the user or password of REDIS_URL (WRONGPASS)"],
  ["NOAUTH", "Redis wants a password, and REDIS_URL has none (NOAUTH)"],
  ["ERR AUTH", "REDIS_URL has a password, and Redis has none set"],
  ["ERR invalid password", "Redis refuses the password of REDIS_URL"],
  ["NOPERM", "the Redis user lacks a right (NOPERM)"],
  ["READONLY", "REDIS_URL names a replica, which takes no writes"],
  ["LOADING", "Redis is loading its data"],
  ["MASTERDOWN", "Redis is a replica without its primary"],
  ["MISCONF", "Redis takes no writes: it cannot save to its disk (MISCONF)"],
  ["OOM", "Redis is out of memory (maxmemory)"],
  ["CLUSTERDOWN", "the Redis Cluster is down"],
  ["ERR max number of clients", "Redis has no connection left (maxclients)"],
  ["ERR unknown command", "Redis does not know a command that Troupe needs"],
];

const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens at REDIS_URL (connection refused)",
  ENOTFOUND: "the host name in REDIS_URL cannot be resolved",
  EAI_AGAIN: "the host name in REDIS_URL cannot be resolved at the moment",
  ETIMEDOUT: "Redis does not answer in time",
  EHOSTUNREACH: "there is no route to the host in REDIS_URL",
  ENETUNREACH: "there is no route to the host in REDIS_URL",
  ECONNRESET: "Redis closed the connection (does it want TLS: rediss://?)",
  EPIPE: "Redis closed the connection (does it want TLS: rediss://?)",
  EMFILE: "this process is out of file descriptors (ulimit -n)",
  EPROTO: "Redis does not speak TLS there (redis:// instead of rediss://?)",
  ERR_SSL_WRONG_VERSION_NUMBER: "Redis does not speak TLS there (redis:// instead of rediss://?)",
  CERT_HAS_EXPIRED: "the TLS certificate of Redis has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the TLS certificate of Redis is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "the TLS certificate of Redis is signed by an unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the TLS certificate of Redis is signed by an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "the TLS certificate of Redis is signed by an unknown authority",
  ERR_TLS_CERT_ALTNAME_INVALID: "the TLS certificate of Redis is for another host name",
};

export function redisTrouble(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return redisTrouble(error.errors[0]);
  }
  const code = errorCode(error);
  const words = code === undefined ? undefined : CODES[code];
  if (words !== undefined) return words;
  const said = error instanceof Error ? error.message || error.name : String(error);
  const answer = ANSWERS.find(([start]) => said.startsWith(start));
  if (answer === undefined) return said;
  const [start, meaning] = answer;
  // NOPERM names the command or channel that the user may not use.
  return start === "NOPERM" ? `${meaning}: ${said.slice(start.length).trim()}` : meaning;
}
