/**
 * The access token: asked of the application when there is none or the server wants another,
 * by one call at a time, and kept for everybody until then.
 */
import type { Result } from "../protocol/errors.ts";
import { refusal, TroupeError } from "./error.ts";

/**
 * Resolves with a token. `stale` is the one that the server has refused or that is about to
 * expire: another is wanted (the same again: there is none); null: any that is good. Reject with a
 * TroupeError of code `unauthorized` to end the connection; after any other rejection it is asked
 * again later.
 */
export type GetToken = (wanted: { stale: string | null }) => string | Promise<string>;

export interface Tokens {
  current(): Promise<Result<string>>;
  /** Another than `stale`. */
  renewed(stale: string): Promise<Result<string>>;
}

export function createTokens(getToken: GetToken): Tokens {
  let token: string | null = null;
  let asked: Promise<Result<string>> | null = null;

  const ask = async (stale: string | null): Promise<Result<string>> => {
    try {
      token = await getToken({ stale });
      return token === stale
        ? refusal("No new token.", "unauthorized")
        : { ok: true, value: token };
    } catch (error) {
      // The application's own error: its refusal, or a failure while it asked for a token.
      return error instanceof TroupeError ? { ok: false, error } : refusal(`No token: ${error}`);
    }
  };
  const once = (stale: string | null): Promise<Result<string>> => {
    asked ??= ask(stale).finally(() => {
      asked = null;
    });
    return asked;
  };

  return {
    current: async () => (token === null ? once(null) : { ok: true, value: token }),
    renewed: async (stale) =>
      token === null || token === stale ? once(stale) : { ok: true, value: token },
  };
}
