/**
 * The keys of an outside token issuer as one edge holds them. The primary reads them for the
 * whole host and says when they change; an edge asks at its start, and for a key id that it
 * does not know, because the issuer may just have rotated.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import type { IssuerKeySet } from "../../runtime/control.ts";
import { KeysUnavailable } from "./tokens.ts";

/** The primary's set; null when there is none yet. `isNewer`: one that was just read. */
export type AskIssuerKeys = (isNewer: boolean) => Promise<IssuerKeySet | null>;

export interface HeldKeys {
  keyOf: JWTVerifyGetKey;
  /** Another set is in force. */
  adopt(set: IssuerKeySet): void;
}

export function createHeldKeys(ask: AskIssuerKeys, onChange: () => void): HeldKeys {
  let held: { version: number; find: ReturnType<typeof createLocalJWKSet> } | null = null;

  function adopt(set: IssuerKeySet): void {
    // Answers may come in another order than they were given.
    if (held !== null && set.version <= held.version) return;
    const isFirst = held === null;
    const find = createLocalJWKSet(JSON.parse(set.keys) as JSONWebKeySet);
    held = { version: set.version, find };
    if (!isFirst) onChange();
  }

  async function renew(isNewer: boolean): Promise<void> {
    const set = await ask(isNewer);
    if (set !== null) adopt(set);
  }

  function current() {
    if (held === null) throw new KeysUnavailable("the token issuer's keys are not there yet");
    return held;
  }

  return {
    adopt,
    keyOf: async (header, token) => {
      if (held === null) await renew(false);
      const before = current();
      try {
        return await before.find(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        await renew(true);
        // The primary may have sent the new set before its answer.
        if (current() === before) throw error;
        return current().find(header, token);
      }
    },
  };
}
