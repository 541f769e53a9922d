/**
 * Hashes of passwords that other systems have made and imports bring, in PHC form: scrypt, bcrypt and
 * argon2. The first login replaces each by one of Troupe's own. They are verified on libuv's threads.
 *
 * [FOH1] A hash that would cost more memory or time than Troupe's bounds is refused at import.
 */
import { scrypt, timingSafeEqual } from "node:crypto";

const SCRYPT =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([\w+/]{11,172})\$([\w+/]{22,172})$/;
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const ARGON2 =
  /^\$argon2(?:i|d|id)\$v=19\$m=(\d{1,7}),t=(\d{1,4}),p=(\d{1,3})\$[\w+/]{11,172}\$[\w+/]{22,172}$/;

const MEMORY_BYTES_MAX = 256 * 1024 * 1024;
/** A second and a half of one core. */
const BCRYPT_COST_MAX = 14;
const ARGON2_TIME_MAX = 16;
const ARGON2_LANES_MAX = 16;

export const isForeign = (hash: string): boolean => hash.startsWith("$");

/** Null: it can be verified here. */
export function foreignHashProblem(hash: string): string | null {
  const bcrypt = BCRYPT.exec(hash);
  if (bcrypt !== null) {
    const cost = Number(bcrypt[1]);
    return cost >= 4 && cost <= BCRYPT_COST_MAX
      ? null
      : `asks for a cost that is not 4 to ${BCRYPT_COST_MAX}`;
  }
  const argon2 = ARGON2.exec(hash);
  if (argon2 !== null) {
    const [kib, time, lanes] = argon2.slice(1, 4).map(Number) as [number, number, number];
    const isBounded =
      kib * 1024 <= MEMORY_BYTES_MAX && time <= ARGON2_TIME_MAX && lanes <= ARGON2_LANES_MAX;
    return isBounded && kib >= 8 && time >= 1 && lanes >= 1 ? null : TOO_MUCH;
  }
  const found = scryptOf(hash);
  if (found === null) return "is no hash in PHC form of scrypt, bcrypt or argon2";
  const { N, r, p } = found.cost;
  return N >= 2 && r >= 1 && p >= 1 && 128 * N * r * p <= MEMORY_BYTES_MAX ? null : TOO_MUCH;
}

const TOO_MUCH = "asks for more memory or time than is spent here";

/** Whether `password` belongs to `hash`. Call it in a turn of the queue of passwords. */
export async function isForeignPassword(password: string, hash: string): Promise<boolean> {
  if (foreignHashProblem(hash) !== null) throw new Error("a stored password hash is damaged");
  // Loaded where such a hash is met.
  if (hash.startsWith("$2")) return (await import("@node-rs/bcrypt")).verify(password, hash);
  if (hash.startsWith("$argon2")) return (await import("@node-rs/argon2")).verify(hash, password);
  const { cost, salt, key } = scryptOf(hash)!;
  const derived = await new Promise<Buffer>((resolve, reject) => {
    scrypt(password, salt, key.length, { ...cost, maxmem: 2 * MEMORY_BYTES_MAX }, (error, made) => {
      if (error === null) resolve(made);
      else reject(error);
    });
  });
  return timingSafeEqual(derived, key);
}

function scryptOf(hash: string) {
  const match = SCRYPT.exec(hash);
  if (match === null) return null;
  return {
    cost: { N: 2 ** Number(match[1]), r: Number(match[2]), p: Number(match[3]) },
    salt: Buffer.from(match[4]!, "base64"),
    key: Buffer.from(match[5]!, "base64"),
  };
}
