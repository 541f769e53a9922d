/**
 * Password hashes: scrypt, `scrypt$N$r$p$salt$key` in base64url, parameters read from the hash
 * so that they can be raised later. A wrong username costs what a wrong password costs.
 *
 * Invariant: at most `concurrent` hashes run at once and `waiting` more wait; beyond that the
 * caller is refused, so that a flood of logins cannot starve everything else.
 */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import { availableParallelism } from "node:os";
import { ok, type Result, refused } from "../../protocol/errors.ts";

/** OWASP's scrypt row of 16 MiB memory ("Password Storage Cheat Sheet"); 40–60 ms here. */
const COST = { N: 16_384, r: 8, p: 1 } as const;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** Bounds on what a stored hash may ask for: 256 MiB, more is damage or an attack. */
const MEMORY_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Hashes and jose's token checks share libuv's four threads: one stays free, or every token
 * check would wait behind the passwords.
 */
const CONCURRENT = Math.max(
  1,
  Math.min(2 * availableParallelism(), Number(process.env["UV_THREADPOOL_SIZE"] ?? 4) - 1),
);
/** About 4 s of waiting at 50 ms a hash: past this the client has given up. */
const WAITING_MAX = 200;

const BUSY = refused("rate_limited", "Too many logins at once. Try again in a moment.");
const BUSY_RETRY_MS = 1000;

/** Made at load with this process' cost: what an unknown username is compared with. */
const NOBODY = format(randomBytes(SALT_BYTES), randomBytes(KEY_BYTES));

export interface PasswordTurns {
  /** Runs `work` when a turn is free. Refuses: rate_limited (too many wait already). */
  inTurn<T>(work: () => Promise<T>): Promise<Result<T>>;
}

export function createPasswordTurns(
  concurrent: number = CONCURRENT,
  waitingMax: number = WAITING_MAX,
): PasswordTurns {
  let running = 0;
  const waiting: (() => void)[] = [];

  return {
    async inTurn(work) {
      if (running >= concurrent) {
        if (waiting.length >= waitingMax) {
          return { ok: false, error: { ...BUSY.error, retry_after_ms: BUSY_RETRY_MS } };
        }
        // The turn is handed over by whoever ends, so `running` stays as it is.
        await new Promise<void>((resolve) => waiting.push(resolve));
      } else {
        running++;
      }
      try {
        return ok(await work());
      } finally {
        const next = waiting.shift();
        if (next === undefined) running--;
        else next();
      }
    },
  };
}

/** A new salted hash. Take a turn first. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return format(salt, await derive(password, salt, KEY_BYTES, COST));
}

/** Whether `password` belongs to `hash`; null (no such account) costs the same. Take a turn first. */
export async function isPassword(password: string, hash: string | null): Promise<boolean> {
  const parsed = parse(hash ?? NOBODY);
  if (parsed === null) throw new Error("a stored password hash is damaged");
  const key = await derive(password, parsed.salt, parsed.key.length, parsed.cost);
  return timingSafeEqual(key, parsed.key) && hash !== null;
}

/** Whether the hash was made with a lower cost than new ones are. */
export function isWeakHash(hash: string): boolean {
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
