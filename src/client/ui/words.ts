/** Times and names in words, by locale. Pure but for the machine's time zone. */

import { withoutDirection } from "../../protocol/isolated.ts";
import type { Message, Status } from "../../protocol/schemas.ts";
import { epochMsOf } from "../../protocol/time.ts";
import { systemClock } from "../clock.ts";
import type { Texts } from "./texts.ts";

const DAY_MS = 86_400_000;
const TINTS = 8;
const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

export interface Words {
  /** "9:41" */
  time(at: string): string;
  /** "Today", "Monday", "3 May 2026": of a separator. */
  day(at: string): string;
  /** A time today, else a short day: of a list. */
  short(at: string): string;
  presence(status: Status | null): string;
  /** "2.4 MB": of a file. */
  bytes(count: number): string;
}

const startOfDay = (ms: number): number => new Date(ms).setHours(0, 0, 0, 0);

/** Whole days between the calendar days of a moment and of now. */
const daysAgo = (at: string): number =>
  Math.round((startOfDay(epochMsOf(systemClock.wallMs())) - startOfDay(Date.parse(at))) / DAY_MS);

export function wordsOf(locale: string | undefined, texts: Texts): Words {
  const format = (options: Intl.DateTimeFormatOptions) => {
    const { format } = new Intl.DateTimeFormat(locale, options);
    return (at: string): string => format(Date.parse(at));
  };
  const time = format({ hour: "2-digit", minute: "2-digit" });
  const weekday = format({ weekday: "long" });
  const long = format({ day: "numeric", month: "long", year: "numeric" });
  const brief = format({ day: "numeric", month: "short" });
  const day = (at: string): string => {
    const days = daysAgo(at);
    if (days <= 0) return texts.today;
    if (days === 1) return texts.yesterday;
    return days < 7 ? weekday(at) : long(at);
  };
  const short = (at: string): string => {
    const days = daysAgo(at);
    if (days <= 0) return time(at);
    return days === 1 ? texts.yesterday : brief(at);
  };
  return {
    time,
    day,
    short,
    bytes(count) {
      const at = Math.min(SIZES.length - 1, Math.floor(Math.log10(Math.max(count, 1)) / 3));
      const size = { style: "unit", unit: SIZES[at]!, maximumFractionDigits: 1 } as const;
      return new Intl.NumberFormat(locale, size).format(count / 1_000 ** at);
    },
    presence(status) {
      if (status === null) return "";
      if (status.status === "online") return texts.online;
      if (status.status === "away") return texts.away;
      return status.last_seen_at === null
        ? texts.offline
        : texts.lastSeen(short(status.last_seen_at));
    },
  };
}

/** The beginning of the day in this machine's time zone; lists are separated by it. */
export const dayKey = (at: string): number => startOfDay(Date.parse(at));

/** At most two letters for a picture. */
export function initialsOf(name: string): string {
  const words = withoutDirection(name)
    .split(/[\s._]+/)
    .filter((word) => word !== "");
  const first = words.slice(0, 2).map((word) => Array.from(word)[0] ?? "");
  return first.join("").toUpperCase() || "·";
}

/** Which of the eight tints an id has. Ids may pass what a number holds: the end is enough. */
export const tintOf = (id: string): number => Number(id.slice(-6)) % TINTS;

export interface TextPart {
  text: string;
  href: string | null;
}

/** A text at its web addresses. */
export function splitLinks(text: string): TextPart[] {
  return text
    .split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]'])/)
    .filter((part) => part !== "")
    .map((part) => ({ text: part, href: /^https?:\/\//.test(part) ? part : null }));
}

export interface MentionPart {
  text: string;
  /** The username that it names; null: none. */
  name: string | null;
}

/** A text at the mentions of these usernames; `@name.` at the end of a sentence is one too. */
export function splitMentions(text: string, names: ReadonlySet<string>): MentionPart[] {
  const parts: MentionPart[] = [];
  let from = 0;
  for (const { 0: found, index } of text.matchAll(/(?<![\p{L}\p{N}._@])@[a-z0-9_.]+/giu)) {
    const mention = found.replace(/\.+$/, "");
    const name = mention.slice(1).toLowerCase();
    if (!names.has(name)) continue;
    if (index > from) parts.push({ text: text.slice(from, index), name: null });
    parts.push({ text: mention, name });
    from = index + mention.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), name: null });
  return parts;
}

/** A message in a line: its text, or how many files it has. */
export function gistOf(
  { body, attachments }: Pick<Message, "body" | "attachments">,
  texts: Texts,
): string {
  return body === "" && attachments !== undefined ? texts.files(attachments.length) : body;
}

/** What was typed or pasted, without what the server would refuse for its look alone. */
export const typedText = (value: string): string =>
  value
    .replace(/\r\n?/g, "\n")
    .replace(/[^\P{Cc}\t\n]/gu, "")
    .trim();
