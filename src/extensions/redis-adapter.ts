/**
 * Socket.IO's Redis adapter for the application's namespaces, where several hosts are joined: what
 * goes to a room or a namespace reaches all workers of all hosts through Redis, those of the same
 * host included, because a namespace has one adapter. Its promises are Socket.IO's: what is
 * published while Redis is away reaches the sockets of this worker only.
 */
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import type { Namespace } from "socket.io";
import type { Adapter } from "socket.io-adapter";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { BEFORE_ALL, msBetween } from "../protocol/time.ts";

const CONNECT_TIMEOUT_MS = 2_000;
const COMMAND_TIMEOUT_MS = 1_000;
const RECONNECT_MS_MAX = 500;
const LOG_EVERY_MS = 10_000;
/** Of whose promises the adapter takes no notice. */
const UNWATCHED = ["publish", "subscribe", "psubscribe", "unsubscribe", "punsubscribe"];

export interface RedisAdapter {
  factory(namespace: Namespace): Adapter;
  close(): void;
}

export function openRedisAdapter(
  url: string,
  prefix: string,
  clock: Clock,
  log: Log,
): RedisAdapter {
  let loggedMs = BEFORE_ALL;
  const note = (err: unknown) => {
    const nowMs = clock.monotonicMs();
    if (msBetween(loggedMs, nowMs) < LOG_EVERY_MS) return;
    loggedMs = nowMs;
    log.warn({ event: "namespace_redis_away", err });
  };
  const options = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (tries: number) => Math.min(50 * tries, RECONNECT_MS_MAX),
  };
  const publisher = new Redis<"legacy">(url, {
    ...options,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
  });
  const subscriber = new Redis<"legacy">(url, { ...options, maxRetriesPerRequest: null });
  for (const client of [publisher, subscriber]) client.on("error", note);
  return {
    factory: createAdapter(watched(publisher, note), watched(subscriber, note), { key: prefix }),
    close() {
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}

/** The client, with no promise of those methods left unhandled. */
function watched<T extends object>(client: T, note: (fault: unknown) => void): T {
  return new Proxy(client, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (!UNWATCHED.includes(String(name))) return member.bind(target) as unknown;
      return (...args: unknown[]) => {
        const done = (member as (...args: unknown[]) => unknown).apply(target, args);
        if (done instanceof Promise) return done.catch(note);
        return done;
      };
    },
  });
}
