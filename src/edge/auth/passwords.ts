/**
 * Password hashes: scrypt, `scrypt$N$r$p$salt$key` in base64url. The parameters are read from the
 * hash, so that they can be raised later. A wrong username costs what a wrong password costs.
 *
 * [PWD1] At most `concurrent` hashes run at once. At most `waitingPerAddress` more wait for each
 *        address, and `waitingMax` in all; the next is refused with `rate_limited`.
 * [PWD2] Addresses that wait take turns: one that sends hundreds of requests delays the request
 *        of another by one hash, not by hundreds.
 */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import { availableParallelism } from "node:os";
import { ok, type Result, refused } from "../../protocol/errors.ts";
import { foreignHashProblem, isForeign, isForeignPassword } from "./foreign-hashes.ts";

/** The row of 16 MiB in OWASP's "Password Storage Cheat Sheet"; about 150 ms of one core. */
const COST = { N: 16_384, r: 8, p: 5 } as const;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** Bounds on what a stored hash may ask for: 256 MiB, more is damage or an attack. */
const MEMORY_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Hashes and jose's token checks share libuv's four threads. One of them stays free, so that
 * token checks do not wait for passwords.
 */
const CONCURRENT = Math.max(
  1,
  Math.min(2 * availableParallelism(), Number(process.env["UV_THREADPOOL_SIZE"] ?? 4) - 1),
);
/** About 5 s of hashing; a client that has to wait longer has given up. */
const WAITING_PER_ADDRESS = 100;
/** Bounds the memory of requests that wait, about 2 KB each. */
const WAITING_MAX = 2_000;

const BUSY = refused("rate_limited", "Too many logins at once. Try again in a moment.");
const BUSY_RETRY_MS = 1000;

/** Made at load with the current cost: an unknown username is compared with it. */
const NOBODY = format(randomBytes(SALT_BYTES), randomBytes(KEY_BYTES));

export interface PasswordQueue {
  /**
   * Runs `work` when it is the turn of `address`. Refuses: rate_limited (too many of this address,
   * or of all, wait already).
   */
  inTurn<T>(address: string, work: () => Promise<T>): Promise<Result<T>>;
}

export interface PasswordTurnBounds {
  concurrent: number;
  waitingPerAddress: number;
  waitingMax: number;
}

export function createPasswordQueue({
  concurrent = CONCURRENT,
  waitingPerAddress = WAITING_PER_ADDRESS,
  waitingMax = WAITING_MAX,
}: Partial<PasswordTurnBounds> = {}): PasswordQueue {
  let running = 0;
  let waitingCount = 0;
  /** By address; the address whose turn is next comes first. An entry is never empty. */
  const waiting = new Map<string, (() => void)[]>();

  /** Resolves when the caller may run; false: too many wait. */
  function turnOf(address: string): Promise<boolean> {
    if (running < concurrent) {
      running++;
      return Promise.resolve(true);
    }
    const own = waiting.get(address) ?? [];
    if (own.length >= waitingPerAddress || waitingCount >= waitingMax) {
      return Promise.resolve(false);
    }
    waitingCount++;
    waiting.set(address, own);
    return new Promise((resolve) => own.push(() => resolve(true)));
  }

  /** Hands the turn to the next address, which then goes to the end of the round. */
  function endTurn(): void {
    const next = waiting.entries().next();
    if (next.done === true) {
      running--;
      return;
    }
    const [address, own] = next.value;
    const begin = own.shift();
    waitingCount--;
    waiting.delete(address);
    if (own.length > 0) waiting.set(address, own);
    begin?.();
  }

  return {
    async inTurn(address, work) {
      if (!(await turnOf(address))) {
        return { ok: false, error: { ...BUSY.error, retry_after_ms: BUSY_RETRY_MS } };
      }
      try {
        return ok(await work());
      } finally {
        endTurn();
      }
    },
  };
}

/** A new salted hash. Call it in a turn. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return format(salt, await derive(password, salt, KEY_BYTES, COST));
}

/**
 * Whether `password` belongs to `hash`; null (no such account) costs the same. Call it in a turn.
 */
export async function isPassword(password: string, hash: string | null): Promise<boolean> {
  if (hash !== null && isForeign(hash)) return isForeignPassword(password, hash);
  const parsed = parse(hash ?? NOBODY);
  if (parsed === null) throw new Error("a stored password hash is damaged");
  const key = await derive(password, parsed.salt, parsed.key.length, parsed.cost);
  return timingSafeEqual(key, parsed.key) && hash !== null;
}

/** What is wrong with a hash that is imported; null: it can be verified. */
export function hashProblem(hash: string): string | null {
  if (isForeign(hash)) return foreignHashProblem(hash);
  return parse(hash) === null ? "is no hash of Troupe's own" : null;
}

/** Whether the hash was made with a lower cost than new ones are, or by another system. */
export function isWeakHash(hash: string): boolean {
  if (isForeign(hash)) return true;
  const cost = parse(hash)?.cost;
  return cost !== undefined && cost.N * cost.r * cost.p < COST.N * COST.r * COST.p;
}

type Cost = Required<Pick<ScryptOptions, "N" | "r" | "p">>;

function derive(password: string, salt: Buffer, bytes: number, cost: Cost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // The same letters from another keyboard may come composed otherwise.
    const text = password.normalize("NFKC");
    scrypt(text, salt, bytes, { ...cost, maxmem: 2 * MEMORY_BYTES_MAX }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function format(salt: Buffer, key: Buffer): string {
  const { N, r, p } = COST;
  return `scrypt$${N}$${r}$${p}$${salt.toString("base64url")}$${key.toString("base64url")}`;
}

const HASH = /^scrypt\$(\d{1,9})\$(\d{1,4})\$(\d{1,4})\$([\w-]{22,86})\$([\w-]{22,86})$/;

function parse(hash: string): { cost: Cost; salt: Buffer; key: Buffer } | null {
  const match = HASH.exec(hash);
  if (match === null) return null;
  const cost = { N: Number(match[1]), r: Number(match[2]), p: Number(match[3]) };
  if (128 * cost.N * cost.r * cost.p > MEMORY_BYTES_MAX) return null;
  return {
    cost,
    salt: Buffer.from(match[4] ?? "", "base64url"),
    key: Buffer.from(match[5] ?? "", "base64url"),
  };
}
