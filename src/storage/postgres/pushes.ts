/** PushQueue on PostgreSQL; its steps are functions in sql/functions. */
import type {
  ClaimedPush,
  NotedDecision,
  PendingPush,
  PushCounts,
  PushEnd,
  PushFacts,
  PushFeed,
  PushQueue,
  PushSubject,
  SettledPushes,
} from "../../ports/push.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { DECISIONS_KEPT, type Provider, type PushKind } from "../../protocol/push.ts";
import { readTotals } from "./conversation-list.ts";
import { endFeed, startFeed } from "./devices.ts";
import type { Database } from "./pool.ts";

/** In a channel with more members, those whose level refuses a message are not looked at. */
const LARGE = 500;

const HAS_DEVICES = { text: "SELECT EXISTS (SELECT 1 FROM push_devices) AS has" };
const FEED = {
  name: "expand_push_feed",
  text: `SELECT e.ids, e.items, e.reads FROM expand_push_feed($1, ${LARGE}) e`,
};
const SETTLE_FEED = { name: "settle_push_feed", text: "SELECT settle_push_feed($1, $2, $3)" };
const DUE = {
  name: "due_pushes",
  text: `SELECT p.user_id::text AS u, p.conversation_id::text AS c, p.notification_id::text AS i,
      p.first_seq AS f, p.seq AS s, p.is_held,
      floor(extract(epoch FROM clock_timestamp() - p.first_at) * 1000) AS age_ms
    FROM push_pending p WHERE p.due_at <= statement_timestamp() ORDER BY p.due_at LIMIT $1`,
};
const FACTS = { name: "push_facts", text: "SELECT f.facts FROM push_facts($1) f ORDER BY f.n" };
const SETTLE = {
  name: "settle_pushes",
  text: `SELECT settle_pushes($1, $2, $3, $4, ${DECISIONS_KEPT})`,
};
const CLAIM = {
  name: "claim_push_sends",
  text: "SELECT c.claimed FROM claim_push_sends($1, $2 * interval '1 millisecond', $3) c",
};
const END = {
  name: "end_push_send",
  text: `SELECT end_push_send($1, $2, $3, $4, $5, $6, $7, $8, ${DECISIONS_KEPT})`,
};
const COUNTS = {
  name: "push_counts",
  text: `SELECT (SELECT count(*) FROM push_feed) + (SELECT count(*) FROM push_pending) AS waiting,
      (SELECT count(*) FROM push_sends) AS sending,
      coalesce(greatest(0, floor(extract(epoch FROM clock_timestamp() - least(
        (SELECT min(f.at) FROM push_feed f), (SELECT min(p.due_at) FROM push_pending p),
        (SELECT min(s.due_at) FROM push_sends s))) * 1000)), 0) AS oldest_ms`,
};

/** A subject as the functions have it. */
interface Item {
  u: UserId;
  c: ConversationId;
  i: string;
  f: number;
  s: number;
}

interface ClaimedRow extends Item {
  kind: PushKind;
  attempts: number;
  age_ms: number;
  device: string;
  device_id: string;
  provider: Provider;
  address: string;
  keys: { p256dh: string; auth: string } | null;
  locale: string | null;
  tz: string | null;
}

interface PendingRow extends Item {
  is_held: boolean;
  age_ms: string;
}

export class PostgresPushes implements PushQueue {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async keepFeed(): Promise<boolean> {
    const [row] = await this.#database.read<{ has: boolean }>(HAS_DEVICES, []);
    if (row!.has) await startFeed(this.#database);
    else await endFeed(this.#database);
    return row!.has;
  }

  async feed(most: number): Promise<PushFeed> {
    const [row] = await this.#database.read<{
      ids: string[] | null;
      items: (Item & { at: string })[] | null;
      reads: Pick<Item, "u" | "c">[] | null;
    }>(FEED, [most]);
    return {
      ids: row?.ids ?? [],
      fresh: (row?.items ?? []).map((item) => ({ ...subjectOf(item), at: item.at })),
      reads: (row?.reads ?? []).map(({ u, c }) => ({ userId: u, conversationId: c })),
    };
  }

  async settleFeed({ ids, fresh, reads }: PushFeed): Promise<void> {
    await this.#database.write(SETTLE_FEED, [
      ids,
      JSON.stringify(fresh.map((one) => ({ ...itemOf(one), at: one.at }))),
      JSON.stringify(reads.map(({ userId, conversationId }) => ({ u: userId, c: conversationId }))),
    ]);
  }

  async due(most: number): Promise<PendingPush[]> {
    const rows = await this.#database.read<PendingRow>(DUE, [most]);
    return rows.map((row) => ({
      ...subjectOf(row),
      ageMs: Number(row.age_ms),
      isHeld: row.is_held,
    }));
  }

  async facts(subjects: readonly PushSubject[]): Promise<PushFacts[]> {
    if (subjects.length === 0) return [];
    const values = [JSON.stringify(subjects.map(itemOf))];
    const rows = await this.#database.read<{ facts: PushFacts }>(FACTS, values);
    return rows.map(({ facts }) => facts);
  }

  async settle({ sent, dropped, later, decisions }: SettledPushes): Promise<void> {
    const waits = later.map(({ subject, isHeld, inMs }) => ({
      ...itemOf(subject),
      h: isHeld,
      w: inMs,
    }));
    await this.#database.write(SETTLE, [
      JSON.stringify(sent.map(itemOf)),
      JSON.stringify(dropped.map(itemOf)),
      JSON.stringify(waits),
      JSON.stringify(decisions.map(notedOf)),
    ]);
  }

  async badge(user: UserId): Promise<number> {
    return (await readTotals(this.#database, user)).messages;
  }

  async claim(most: number, leaseMs: number, without: readonly string[]): Promise<ClaimedPush[]> {
    const values = [most, leaseMs, without];
    const rows = await this.#database.write<{ claimed: ClaimedRow }>(CLAIM, values);
    return rows.map(({ claimed: row }) => ({
      kind: row.kind,
      subject: subjectOf(row),
      device: row.device,
      deviceId: row.device_id,
      provider: row.provider,
      address: row.address,
      keys: row.keys,
      locale: row.locale,
      tz: row.tz,
      attempts: row.attempts,
      ageMs: row.age_ms,
    }));
  }

  async end(
    { device, kind, subject }: ClaimedPush,
    end: PushEnd,
    decision: NotedDecision | null,
  ): Promise<void> {
    const { c, i, s } = itemOf(subject);
    await this.#database.read(END, [
      device,
      kind,
      c,
      i,
      s,
      end.is,
      "retryInMs" in end ? end.retryInMs : null,
      JSON.stringify(decision === null ? [] : [notedOf(decision)]),
    ]);
  }

  async counts(): Promise<PushCounts> {
    const [row] = await this.#database.read<Record<keyof PushCounts, string>>(COUNTS, []);
    const { waiting, sending, oldest_ms } = row!;
    return { waiting: Number(waiting), sending: Number(sending), oldest_ms: Number(oldest_ms) };
  }
}

const NONE = "0";

function subjectOf({ u, c, i, f, s }: Item): PushSubject {
  return {
    userId: u,
    conversationId: c === NONE ? null : c,
    notificationId: i === NONE ? null : i,
    firstSeq: Number(f),
    seq: Number(s),
  };
}

function itemOf(subject: PushSubject) {
  const { userId, conversationId, notificationId, firstSeq, seq } = subject;
  return { u: userId, c: conversationId ?? NONE, i: notificationId ?? NONE, f: firstSeq, s: seq };
}

function notedOf({ subject, kind, deviceId, reason, detail }: NotedDecision) {
  return { ...itemOf(subject), k: kind, d: deviceId, r: reason, t: detail ?? null };
}
