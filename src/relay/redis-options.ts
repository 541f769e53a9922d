/**
 * Options of connections to Redis (read in ioredis 6 and tried). An offline queue, resent commands
 * and automatic resubscription would each hide a loss, so they are off.
 */
import type { RedisOptions } from "ioredis";

const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
const RECONNECT_MS_MAX = 500;

/**
 * Not `: RedisOptions`, and connections are made as `new Redis<"legacy">`: where the replies'
 * mapping is left open the compiler compares every command's types, for half of its time.
 */
export const CONNECTION = {
  lazyConnect: true,
  enableOfflineQueue: false,
  connectTimeout: CONNECT_TIMEOUT_MS,
  // A connection that is given up would not answer QUIT either.
  disconnectTimeout: 100,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  // A frozen Redis keeps its connections open; only a deadline detects it.
  commandTimeout: COMMAND_TIMEOUT_MS,
} satisfies RedisOptions;

export function reconnectDelayMs(tries: number): number {
  return Math.min(50 * tries, RECONNECT_MS_MAX);
}
