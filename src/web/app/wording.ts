/**
 * Times and counts in words. Pure but for the browser's language and time zone.
 */

const DAY_MS = 86_400_000;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const shortWeekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const shortDate = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const longDate = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "long",
  year: "numeric",
});

export const fullTime = (atMs: number): string => `${longDate.format(atMs)}, ${clock.format(atMs)}`;

/** Whole days between the calendar days of two moments, by this browser's calendar. */
function daysBetween(atMs: number, nowMs: number): number {
  const startOfDay = (ms: number): number => new Date(ms).setHours(0, 0, 0, 0);
  return Math.round((startOfDay(nowMs) - startOfDay(atMs)) / DAY_MS);
}

/** A time today, else a short day. */
export function shortTime(atMs: number, nowMs: number): string {
  const days = daysBetween(atMs, nowMs);
  if (days <= 0) return clock.format(atMs);
  if (days === 1) return "Yesterday";
  return days < 7 ? shortWeekday.format(atMs) : shortDate.format(atMs);
}

export function caughtUpText(fresh: number): string {
  if (fresh === 0) return "Back. Nothing was missed.";
  return `Back. Caught up on ${fresh} message${fresh === 1 ? "" : "s"}.`;
}

export interface TextPart {
  text: string;
  /** A web address. */
  href: string | null;
  /** `@username`: emphasised, whether or not somebody has that name. */
  isMention: boolean;
}

function splitMentions(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let from = 0;
  // As the server reads them; a name may end in a dot, but more often the sentence does.
  for (const match of text.matchAll(/(^|[^\w.@/])(@[a-z0-9_.]{2,31}[a-z0-9_])/gi)) {
    const at = match.index + (match[1]?.length ?? 0);
    const name = match[2] ?? "";
    if (at > from) parts.push({ text: text.slice(from, at), href: null, isMention: false });
    parts.push({ text: name, href: null, isMention: true });
    from = at + name.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), href: null, isMention: false });
  return parts;
}

/** Splits a text at its web addresses and mentions, so that views can show them as such. */
export function splitText(text: string): TextPart[] {
  return text
    .split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]'])/)
    .filter((part) => part !== "")
    .flatMap((part) =>
      /^https?:\/\//.test(part)
        ? { text: part, href: part, isMention: false }
        : splitMentions(part),
    );
}

const compact = new Intl.NumberFormat(undefined, { notation: "compact" });

/** "0", "999", "1.2K": never wider than four or five signs. */
export const shortCount = (count: number): string =>
  count < 1000 ? String(count) : compact.format(count);

/** The accessible name of what carries a number: "Talks, 2 unread messages". */
export const countedName = (name: string, count: number, one: string): string =>
  count === 0 ? name : `${name}, ${counted(count, one)}`;

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
