/**
 * Asks for the summary about once a second while somebody looks: not while the tab is hidden,
 * and more rarely while there is no answer.
 */
import type { ErrorObject, Result } from "../../protocol/errors.ts";
import type { OpsSummary } from "../../protocol/ops.ts";

const EVERY_MS = 1_000;
const RETRY_MAX_MS = 10_000;

export interface WatchEvents {
  summary(summary: OpsSummary): void;
  /** No answer, or a refusal that may pass. */
  cut(error: ErrorObject): void;
  /** The token is not good (any more). */
  refused(error: ErrorObject): void;
}

/** Returns the way to stop. */
export function watchSummary(
  read: () => Promise<Result<OpsSummary>>,
  events: WatchEvents,
): () => void {
  let isStopped = false;
  let isAsking = false;
  let failures = 0;
  let timer: number | undefined;

  async function look(): Promise<void> {
    clearTimeout(timer);
    if (isStopped || isAsking || document.hidden) return;
    isAsking = true;
    const answer = await read();
    isAsking = false;
    if (isStopped) return;
    if (answer.ok) {
      failures = 0;
      events.summary(answer.value);
    } else if (["unauthorized", "token_expired", "forbidden"].includes(answer.error.code)) {
      events.refused(answer.error);
      return;
    } else {
      failures++;
      events.cut(answer.error);
    }
    timer = setTimeout(look, Math.min(EVERY_MS * 2 ** Math.max(0, failures - 1), RETRY_MAX_MS));
  }

  const onVisible = (): void => void look();
  document.addEventListener("visibilitychange", onVisible);
  addEventListener("online", onVisible);
  void look();
  return () => {
    isStopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
    removeEventListener("online", onVisible);
  };
}
