/** The header Retry-After, honoured up to an hour. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** Seconds, or a date; 0 where it says neither. */
export function retryAfterOf(header: string | string[] | undefined, nowMs: number): number {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined) return 0;
  const waitMs = /^\d{1,9}$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(waitMs) ? 0 : Math.min(Math.max(waitMs, 0), RETRY_AFTER_MS_MAX);
}
