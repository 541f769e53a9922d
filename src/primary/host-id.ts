/**
 * The id of a run of a host: "<name>-<run>". The first part follows from the host's name and is the
 * same after a restart, so that placement gives the host the shards that it had (places.ts). The
 * second one is never the same again, and is greater than that of a run of an earlier minute.
 */
import { createHash, randomInt } from "node:crypto";
import { hostname } from "node:os";
import { epochMsOf, type WallTime } from "../protocol/time.ts";

const RADIX = 36;
/** Enough for 32 bits. */
const NAME_LENGTH = 7;
/** Minutes for a century. */
const TIME_LENGTH = 5;
const CHANCE_LENGTH = 4;
const MINUTE_MS = 60_000;
const SINCE_MS = Date.UTC(2026, 0);

/** `at`: when it starts. */
export function hostId(name: string, at: WallTime): string {
  const hash = createHash("sha256").update(name).digest().readUInt32BE(0);
  const minutes = Math.max(0, Math.floor((epochMsOf(at) - SINCE_MS) / MINUTE_MS));
  const chance = randomInt(RADIX ** CHANCE_LENGTH);
  const run = digits(minutes, TIME_LENGTH) + digits(chance, CHANCE_LENGTH);
  return `${digits(hash, NAME_LENGTH)}-${run}`;
}

/** The name of a host that was given none: two on one machine have different ports. */
export function defaultHostName(port: number): string {
  return `${hostname()}:${port}`;
}

function digits(value: number, length: number): string {
  return value.toString(RADIX).padStart(length, "0");
}
