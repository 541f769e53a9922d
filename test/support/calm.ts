/** People who send at a person's pace, and how long each of their sends took to be acknowledged. */
import type { Session } from "./session.ts";

const EVERY_MS = 25;

/** Everybody sends every 25 ms, whatever became of the last; milliseconds from send to ack. */
export async function sendsCalmly(
  people: readonly { session: Session; conversation: string }[],
  forMs: number,
): Promise<number[]> {
  const tookMs: Promise<number>[] = [];
  const send = async (session: Session, conversation: string): Promise<number> => {
    const startedMs = performance.now();
    await session.sends(conversation, "hello");
    return performance.now() - startedMs;
  };
  await new Promise<void>((resolve) => {
    const endMs = performance.now() + forMs;
    const timer = setInterval(() => {
      if (performance.now() < endMs) {
        for (const { session, conversation } of people) tookMs.push(send(session, conversation));
        return;
      }
      clearInterval(timer);
      resolve();
    }, EVERY_MS);
  });
  return Promise.all(tookMs);
}

export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
