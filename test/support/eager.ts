/** A client that asks as fast as it may, and waits for `retry_after_ms` when it is refused. */
import { setTimeout as delay } from "node:timers/promises";
import type { Session } from "./session.ts";

/** Types without pause until `untilMs` (performance.now); how many were allowed. */
export async function typesEagerly(
  session: Session,
  conversationId: string,
  untilMs: number,
): Promise<number> {
  let allowed = 0;
  for (let n = 0; performance.now() < untilMs; n++) {
    const typing = { conversation_id: conversationId, is_typing: n % 2 === 0 };
    const answer = await session.emits("typing", typing);
    if (answer.ok) allowed++;
    else if (answer.error?.code !== "rate_limited") throw new Error(JSON.stringify(answer.error));
    else await delay(Math.min(answer.error.retry_after_ms ?? 0, untilMs - performance.now()));
  }
  return allowed;
}
