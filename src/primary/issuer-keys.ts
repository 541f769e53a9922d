/**
 * The keys of an outside token issuer, read by the primary for the whole host: from an address
 * (JWKS) or a local file. jose's own remote set refuses valid tokens when one refresh fails and
 * asks an unreachable address without pause, in every worker.
 *
 * [JWK1] The last good set stays when the issuer later answers badly or not at all.
 * [JWK2] One read at a time and never two within PAUSE_MS, so that invented key ids cause no flood.
 * [JWK3] Only public keys leave this module; a set without public keys is not a good set.
 */
import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Clock } from "../base/clock.ts";
import { type Monotonic, msBetween } from "../protocol/time.ts";
import type { IssuerKeySet } from "../runtime/control.ts";

/** Rotated keys are usually published a day ahead; this bounds the use of a withdrawn key. */
const FRESH_MS = 10 * 60_000;
const FRESH_FILE_MS = 10_000;
/** The pause after a failed read. */
const RETRY_MS = 15_000;
const PAUSE_MS = 5_000;
/** Less than the 5 s that a worker waits for the primary. */
const FETCH_TIMEOUT_MS = 4_000;
/** Real sets have some ten keys of one or two KB. */
const SET_BYTES_MAX = 512 * 1024;
const KEYS_MAX = 200;

/**
 * RFC 7517 and 7518: the members of a public key. All others, above all private ones, are dropped.
 */
const PUBLIC_MEMBERS = ["kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e"];
const PUBLIC_KINDS = ["RSA", "EC", "OKP"];

export interface IssuerKeysOptions {
  /** http, https or file. */
  url: string;
  clock: Clock;
  /** Called when the set has changed; not for the first set. */
  onChange(set: IssuerKeySet): void;
  /** Called for every read that failed. */
  onFault(fault: unknown): void;
}

export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  readonly #isFile: boolean;
  #held: IssuerKeySet | null = null;
  #readAtMs: Monotonic | null = null;
  #reading: Promise<void> | null = null;
  #cancelNext: () => void = () => undefined;
  #isClosed = false;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#isFile = options.url.startsWith("file:");
  }

  /** Starts reading, until it is closed. */
  start(): void {
    void this.#renew();
  }

  /** The set. It is read again when there is none and, after a pause, when `isNewer`. */
  async ask(isNewer: boolean): Promise<IssuerKeySet | null> {
    if (this.#held === null || isNewer) await this.#renew();
    return this.#held;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelNext();
  }

  #renew(): Promise<void> {
    if (this.#reading !== null) return this.#reading;
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (
      this.#isClosed ||
      (this.#readAtMs !== null && msBetween(this.#readAtMs, nowMs) < PAUSE_MS)
    ) {
      return Promise.resolve();
    }
    this.#readAtMs = nowMs;
    this.#cancelNext();
    this.#reading = this.#read().then((isGood) => {
      this.#reading = null;
      if (this.#isClosed) return;
      const afterMs = isGood ? (this.#isFile ? FRESH_FILE_MS : FRESH_MS) : RETRY_MS;
      this.#cancelNext = clock.after(afterMs, () => void this.#renew());
    });
    return this.#reading;
  }

  async #read(): Promise<boolean> {
    const { url, onChange, onFault } = this.#options;
    try {
      const text = this.#isFile ? await readBounded(fileURLToPath(url)) : await fetchBounded(url);
      const keys = publicKeysOf(text);
      const before = this.#held;
      if (before?.keys === keys) return true;
      this.#held = { keys, version: (before?.version ?? 0) + 1 };
      if (before !== null) onChange(this.#held);
      return true;
    } catch (fault) {
      onFault(fault);
      return false;
    }
  }
}

async function fetchBounded(url: string): Promise<string> {
  const answer = await fetch(url, {
    headers: { accept: "application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (!answer.ok) {
    await answer.body?.cancel();
    throw new Error(`the token issuer answered ${answer.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > SET_BYTES_MAX) throw new Error(`the key set is over ${SET_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function readBounded(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(SET_BYTES_MAX + 1));
    if (bytesRead > SET_BYTES_MAX) throw new Error(`${path} is over ${SET_BYTES_MAX} bytes`);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The public keys in it as a key set; throws when there are none. */
export function publicKeysOf(text: string): string {
  const set: unknown = JSON.parse(text);
  const keys = typeof set === "object" && set !== null ? (set as { keys?: unknown }).keys : null;
  if (!Array.isArray(keys)) throw new Error("this is no key set: it has no list of keys");
  const publics = keys.slice(0, KEYS_MAX).flatMap((key: unknown) => {
    if (typeof key !== "object" || key === null) return [];
    const entries = Object.entries(key).filter(([member]) => PUBLIC_MEMBERS.includes(member));
    const { kty } = key as { kty?: unknown };
    return PUBLIC_KINDS.includes(String(kty)) ? [Object.fromEntries(entries)] : [];
  });
  if (publics.length === 0) throw new Error("the key set holds no public key");
  return JSON.stringify({ keys: publics });
}
