/** Numbers, times and events in an operator's words. Pure. */
import type { Fault } from "../../protocol/ops.ts";

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const countText = (count: number): string =>
  count < 100_000 ? whole.format(count) : short.format(count);

export function rateText(perSecond: number): string {
  if (perSecond === 0) return "0";
  return perSecond < 10 ? perSecond.toFixed(1) : countText(perSecond);
}

export function msText(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

export function bytesText(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  let value = bytes;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at++;
  }
  return `${value < 10 && at > 0 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

/** "3 d 4 h", "12 min", "8 s". */
export function spanText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const agoText = (iso: string, nowMs: number): string => {
  const ms = nowMs - Date.parse(iso);
  return ms < 2_000 ? "now" : `${spanText(ms)} ago`;
};
export const timeText = (iso: string): string => clock.format(Date.parse(iso));
export const momentText = (iso: string): string => day.format(Date.parse(iso));

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${countText(count)} ${count === 1 ? one : many}`;

const EVENTS: Readonly<Record<string, string>> = {
  worker_exited: "A worker ended",
  worker_lost: "A worker was lost; its actors moved",
  worker_online: "A worker came online",
  worker_start_too_slow: "A worker took too long to start",
  worker_fork_failed: "No worker could be started",
  worker_drain_too_slow: "A worker drained too slowly",
  worker_failed: "A worker could not start",
  thread_failed: "An actor thread failed",
  thread_stuck: "An actor thread was stuck",
  edge_stuck: "An edge was stuck",
  actor_failed: "An actor failed and will begin anew",
  roll_done: "All workers were replaced",
  roll_given_up: "Replacing the workers was given up",
  relay_away: "Redis is away: this host goes on alone",
  storage_refused: "The database refused what clients asked for",
  not_writable: "Nothing can be committed",
  writable_again: "Commits are possible again",
  relay_joined: "Redis is back: the hosts hear each other",
  relay_gap: "What hosts said to each other may have been lost, and was looked for",
  events_doubted: "Events of another host may not have arrived, and were looked for",
  frames_lost: "Frames to another host were lost",
  command_failed: "A client's command failed",
  command_unavailable: "Commands were refused: the database or another worker was out of reach",
  handshake_unavailable: "Sessions were refused: the database was out of reach",
  refresh_token_reused: "A spent refresh token was shown: its login was ended",
  jwks_fetch_failed: "The token issuer's keys could not be fetched",
  host_metrics_failed: "The host's metrics could not be gathered",
};

/** A sentence for an event of the log. */
export function faultText({ event, detail }: Pick<Fault, "event" | "detail">): string {
  const words = event.replaceAll("_", " ");
  const sentence = EVENTS[event] ?? words.charAt(0).toUpperCase() + words.slice(1);
  return detail === null ? `${sentence}.` : `${sentence} (${detail}).`;
}

export const slotNumber = (slot: string): string => slot.split("/").at(-1) ?? slot;
