/**
 * What a running Troupe's /metrics say of its users: two readings, and the rates between them. The
 * metrics are of one host, so rates are taken for each of its sessions.
 */
import type { Profile } from "../../capacity/deployment.ts";

const DEADLINE_MS = 10_000;
const BYTES_MAX = 8 * 1024 * 1024;

/** One reading of /metrics: the sums of the samples that are needed. */
export interface Reading {
  sessions: number;
  sends: number;
  marks: number;
  typing: number;
  statuses: number;
  deliveries: number;
  cpuS: number;
}

export interface Seen {
  /** What the profile takes over. */
  profile: Partial<Profile>;
  /** CPU of the host for a message with all that goes with it, seconds; null without messages. */
  cpuPerMessageS: number | null;
  /** Cores that the host used. */
  cores: number;
  sessions: number;
}

/** The text of /metrics, or a sentence that says why there is none. */
export async function readMetrics(
  url: string,
  token: string | null,
): Promise<{ ok: true; reading: Reading } | { ok: false; problem: string }> {
  let answer: Response;
  let body: string;
  try {
    const headers: Record<string, string> =
      token === null ? {} : { authorization: `Bearer ${token}` };
    answer = await fetch(url, { headers, signal: AbortSignal.timeout(DEADLINE_MS) });
    body = (await answer.text()).slice(0, BYTES_MAX);
  } catch (error) {
    return { ok: false, problem: `${url} cannot be read: ${reasonOf(error)}.` };
  }
  if (answer.status === 401 || answer.status === 403) {
    return {
      ok: false,
      problem: `${url} wants a token: set METRICS_TOKEN as the server has it.`,
    };
  }
  if (!answer.ok) {
    return { ok: false, problem: `${url} answered ${answer.status}: is it a Troupe's /metrics?` };
  }
  const reading = readingOf(body);
  return reading === null
    ? { ok: false, problem: `${url} has no metrics of a Troupe: troupe_sessions is missing.` }
    : { ok: true, reading };
}

/** Null where the text is not of a Troupe. */
export function readingOf(metrics: string): Reading | null {
  if (!/^troupe_sessions(\{| )/m.test(metrics)) return null;
  const events = (names: readonly string[]) =>
    sumOf(metrics, "troupe_events_total", (labels) =>
      names.some((name) => labels.includes(`event="${name}"`)),
    );
  return {
    sessions: sumOf(metrics, "troupe_sessions"),
    sends: sumOf(metrics, "troupe_sends_total"),
    marks: events(["mark_delivered", "mark_read"]),
    typing: events(["typing"]),
    statuses: events(["set_status"]),
    deliveries: sumOf(metrics, "troupe_deliveries_total"),
    cpuS: sumOf(metrics, "process_cpu_seconds_total"),
  };
}

export function seenBetween(first: Reading, last: Reading, seconds: number): Seen {
  const sessions = Math.max(1, (first.sessions + last.sessions) / 2);
  const sends = Math.max(0, last.sends - first.sends);
  const cpuS = Math.max(0, last.cpuS - first.cpuS);
  const profile: Partial<Profile> = { users: Math.round(sessions) };
  if (sends > 0) {
    profile.messagesPerS = sends / seconds / sessions;
    profile.typingPerMessage = Math.max(0, last.typing - first.typing) / sends;
  }
  return {
    profile,
    cpuPerMessageS: sends > 0 ? cpuS / sends : null,
    cores: cpuS / seconds,
    sessions: last.sessions,
  };
}

function sumOf(
  metrics: string,
  name: string,
  wants: (labels: string) => boolean = () => true,
): number {
  let sum = 0;
  for (const [, labels = "", value] of metrics.matchAll(
    new RegExp(`^${name}(\\{[^\\n]*\\})? (\\S+)$`, "gm"),
  )) {
    if (wants(labels)) sum += Number(value);
  }
  return Number.isFinite(sum) ? sum : 0;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "no answer within 10 s";
  return error.cause instanceof Error ? error.cause.message : error.message;
}
