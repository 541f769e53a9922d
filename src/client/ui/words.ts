/** Times and names in words, by locale. Pure but for the machine's time zone. */

import { withoutDirection } from "../../protocol/isolated.ts";
import type { Status } from "../../protocol/schemas.ts";
import { epochMsOf } from "../../protocol/time.ts";
import { systemClock } from "../clock.ts";
import type { Texts } from "./texts.ts";

const DAY_MS = 86_400_000;
const TINTS = 8;

export interface Words {
  /** "9:41" */
  time(at: string): string;
  /** "Today", "Monday", "3 May 2026": of a separator. */
  day(at: string): string;
  /** A time today, else a short day: of a list. */
  short(at: string): string;
  presence(status: Status | null): string;
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

/** What was typed or pasted, without what the server would refuse for its look alone. */
export const typedText = (value: string): string =>
  value
    .replace(/\r\n?/g, "\n")
    .replace(/[^\P{Cc}\t\n]/gu, "")
    .trim();
