/**
 * A history seen by session: what one client recorded between one connect and the end of that
 * connection. Pure; shared by the rules and the report.
 */
import type { ChangeRecord, History, Rec } from "./history.ts";

export type OfClient = Extract<Rec, { client: number }>;

export interface SessionTrail {
  client: number;
  user: string;
  /** A readable name: "p1/2, session 3 on host 1". */
  name: string;
  host: number;
  fromMs: number;
  /** Null when it lived to the end of the run. */
  toMs: number | null;
  /**
   * Since when its client has not read its socket, so that it cannot know that the server ended it.
   */
  deafSinceMs: number | null;
  records: OfClient[];
}

export function sessionsOf(history: Pick<History, "clients" | "records">): SessionTrail[] {
  const all: SessionTrail[] = [];
  const current = new Map<number, SessionTrail>();
  const counts = new Map<number, number>();
  for (const rec of history.records) {
    if (!("client" in rec)) continue;
    if (rec.kind === "connected") {
      const { name, user } = history.clients[rec.client]!;
      const count = (counts.get(rec.client) ?? 0) + 1;
      counts.set(rec.client, count);
      const session: SessionTrail = {
        client: rec.client,
        user,
        name: `${name}, session ${count} on host ${rec.host + 1}`,
        host: rec.host,
        fromMs: rec.atMs,
        toMs: null,
        deafSinceMs: null,
        records: [],
      };
      current.set(rec.client, session);
      all.push(session);
      continue;
    }
    const session = current.get(rec.client);
    if (session === undefined) continue;
    if (rec.kind === "disconnected") {
      session.toMs = rec.atMs;
      current.delete(rec.client);
    } else {
      if (rec.kind === "reading" && !rec.isReading) session.deafSinceMs ??= rec.atMs;
      session.records.push(rec);
    }
  }
  return all;
}

/**
 * Until when the session's events count: a client that stopped reading receives the rest late.
 * Null means to the end.
 */
export function hearsUntilMs({ deafSinceMs, toMs }: SessionTrail): number | null {
  return deafSinceMs ?? toMs;
}

export function isLiveFrom(session: SessionTrail, fromMs: number, toMs: number): boolean {
  const endMs = hearsUntilMs(session);
  return session.fromMs <= fromMs && (endMs === null || endMs >= toMs);
}

/** Whether the record is the change that removes `user` from a conversation. */
export function isRemovalOf(user: string, rec: Rec): rec is ChangeRecord {
  return rec.kind === "change" && rec.members !== undefined && !rec.members.includes(user);
}

export interface ShownTyping {
  client: number;
  conversation: string;
  user: string;
  sinceMs: number;
}

/**
 * Who is shown as typing at `atMs` by the clients that are connected then. A client that is
 * removed from a conversation drops its state and its threads, and is owed no end of a typing.
 * `threads`: the parent of each.
 */
export function shownTyping(
  history: Pick<History, "clients" | "records">,
  atMs: number,
  threads: ReadonlyMap<string, string>,
): ShownTyping[] {
  const { clients, records } = history;
  const shown = new Map<string, ShownTyping>();
  for (const rec of records) {
    if (rec.atMs > atMs) break;
    if (rec.kind === "connected" || rec.kind === "disconnected") {
      for (const [key, one] of shown) if (one.client === rec.client) shown.delete(key);
    } else if (rec.kind === "change" && isRemovalOf(clients[rec.client]!.user, rec)) {
      for (const [key, one] of shown) {
        const place = threads.get(one.conversation) ?? one.conversation;
        if (one.client === rec.client && place === rec.conversation) shown.delete(key);
      }
    } else if (rec.kind === "typing") {
      const { client, conversation, user } = rec;
      const key = `${client} ${conversation} ${user}`;
      if (rec.isTyping) shown.set(key, { client, conversation, user, sinceMs: rec.atMs });
      else shown.delete(key);
    }
  }
  return [...shown.values()];
}
