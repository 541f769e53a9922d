/**
 * Times, presence and counts in words. Pure but for the browser's language and time zone.
 */
import type { Status } from "../../protocol/schemas.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const shortWeekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const shortDate = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const longDate = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "long",
  year: "numeric",
});

export const timeOfDay = (atMs: number): string => clock.format(atMs);
export const fullTime = (atMs: number): string => `${longDate.format(atMs)}, ${clock.format(atMs)}`;

/** Whole days between the calendar days of two moments, by this browser's calendar. */
function daysBetween(atMs: number, nowMs: number): number {
  const startOfDay = (ms: number): number => new Date(ms).setHours(0, 0, 0, 0);
  return Math.round((startOfDay(nowMs) - startOfDay(atMs)) / DAY_MS);
}

/** For day separators: "Today", "Yesterday", "Monday", "3 May 2026". */
export function dayName(atMs: number, nowMs: number): string {
  const days = daysBetween(atMs, nowMs);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  return days < 7 ? weekday.format(atMs) : longDate.format(atMs);
}

/** For the list: a time today, else a short day. */
export function shortTime(atMs: number, nowMs: number): string {
  const days = daysBetween(atMs, nowMs);
  if (days <= 0) return clock.format(atMs);
  if (days === 1) return "Yesterday";
  return days < 7 ? shortWeekday.format(atMs) : shortDate.format(atMs);
}

export function presenceText(status: Status | undefined, nowMs: number): string {
  if (!status) return "";
  if (status.status !== "offline") return status.status;
  if (status.last_seen_at === null) return "offline";
  const agoMs = Math.max(0, nowMs - Date.parse(status.last_seen_at));
  if (agoMs < MINUTE_MS) return "last seen just now";
  if (agoMs < HOUR_MS) return `last seen ${Math.floor(agoMs / MINUTE_MS)} min ago`;
  if (agoMs < DAY_MS) return `last seen ${Math.floor(agoMs / HOUR_MS)} h ago`;
  return `last seen ${dayName(Date.parse(status.last_seen_at), nowMs)}`;
}

export function typingText(names: readonly string[]): string {
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
  return names.length === 0 ? "" : `${names.length} people are typing…`;
}

export function caughtUpText(fresh: number): string {
  if (fresh === 0) return "Back. Nothing was missed.";
  return `Back. Caught up on ${fresh} message${fresh === 1 ? "" : "s"}.`;
}

export function initialsOf(name: string): string {
  const words = name.split(/[\s._]+/).filter((word) => word !== "");
  const first = words.slice(0, 2).map((word) => Array.from(word)[0] ?? "");
  return first.join("").toUpperCase() || "·";
}

/** Splits a text at its web addresses, so that views can make them links. */
export function splitLinks(text: string): { text: string; href: string | null }[] {
  return text
    .split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]'])/)
    .filter((part) => part !== "")
    .map((part) => ({ text: part, href: /^https?:\/\//.test(part) ? part : null }));
}
