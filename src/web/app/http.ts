/**
 * The contract's HTTP calls, answered as values: never rejects with a refusal, so that callers
 * treat a dead network like any other.
 */
import { type Call, type CallAnswer, type CallInput, TroupeError } from "../../client/index.ts";
import type { Result } from "../../protocol/errors.ts";

/** In the name of the signed-in user, or, for `/api/auth`, of nobody. */
export type Api = <C extends Call>(call: C, input: CallInput<C>) => Promise<Result<CallAnswer<C>>>;

/** What the SDK rejects with, as a value. */
export async function answerOf<T>(work: Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await work };
  } catch (error) {
    if (!(error instanceof TroupeError)) throw error;
    const { code, message, retryAfterMs } = error;
    const later = retryAfterMs === null ? {} : { retry_after_ms: retryAfterMs };
    return { ok: false, error: { code, message, ...later } };
  }
}

/** `call`: the SDK's, which rejects. */
export function createApi(
  call: <C extends Call>(call: C, input: CallInput<C>) => Promise<CallAnswer<C>>,
): Api {
  return (name, input) => answerOf(call(name, input));
}
