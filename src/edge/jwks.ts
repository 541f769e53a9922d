/**
 * The keys of an outside token issuer, fetched from its JWKS address. jose's own remote set
 * refuses valid tokens when one refresh fails and asks an unreachable address without pause;
 * this one keeps the last good set, asks at most every few seconds, and fetches early only
 * for a key id it does not know (the issuer has rotated).
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import type { Clock } from "../clock.ts";
import { KeysUnavailable } from "./tokens.ts";

/** Rotated keys are usually published a day ahead; ten minutes bounds the use of a withdrawn one. */
const FRESH_MS = 10 * 60_000;
/** A stranger's made-up key ids must not become a flood on the issuer. */
const PAUSE_MS = 5_000;
const FETCH_TIMEOUT_MS = 5_000;

type KeySet = ReturnType<typeof createLocalJWKSet>;

export interface JwksOptions {
  url: string;
  clock: Clock;
  /** Told of every failed fetch. */
  onFault(fault: unknown): void;
}

export function createJwks({ url, clock, onFault }: JwksOptions): JWTVerifyGetKey {
  let keys: KeySet | null = null;
  let fetchedAtMs = 0;
  let askedAtMs = 0;
  let fetching: Promise<void> | null = null;

  async function load(): Promise<void> {
    try {
      const answer = await fetch(url, {
        headers: { accept: "application/json" },
        redirect: "error",
        signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
      });
      if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
      keys = createLocalJWKSet((await answer.json()) as JSONWebKeySet);
      fetchedAtMs = clock.nowMs();
    } catch (fault) {
      // The last good set stays; the caller sees null only before the first success.
      onFault(fault);
    }
  }

  /** One fetch at a time, never two within PAUSE_MS. */
  function renew(): Promise<void> {
    if (fetching !== null) return fetching;
    if (askedAtMs !== 0 && clock.nowMs() - askedAtMs < PAUSE_MS) return Promise.resolve();
    askedAtMs = clock.nowMs();
    fetching = load().finally(() => {
      fetching = null;
    });
    return fetching;
  }

  function current(): KeySet {
    if (keys === null) throw new KeysUnavailable(url);
    return keys;
  }

  return async (header, token) => {
    if (keys === null) await renew();
    else if (clock.nowMs() - fetchedAtMs > FRESH_MS) void renew();
    const held = current();
    try {
      return await held(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await renew();
      const renewed = current();
      if (renewed === held) throw error;
      return renewed(header, token);
    }
  };
}
