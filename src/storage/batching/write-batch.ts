/**
 * One batch of the writer: sends and cursor marks that commit together in one call of the
 * function write_batch (sql/functions). One plain send, or one mark, has a function of its own,
 * which costs less. Callers that ask for the same thing share
 * a row of it: two sends with one client_id make one message, marks of one member fold together.
 *
 * Invariant: sends keep the order in which they were added.
 */
import type {
  Appended,
  CursorMark,
  Follower,
  Marked,
  NewContent,
  NewMessage,
  Unmarked,
} from "../../../actors/ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Prefs } from "../../protocol/prefs.ts";
import type { Message } from "../../protocol/schemas.ts";
import { isWellFormed } from "../../protocol/text.ts";
import { countsAsUnread, type OwnMarks } from "../../protocol/unread.ts";
import type { Statement } from "../postgres/pool.ts";
import { type Refusal, STORAGE_REFUSALS } from "../postgres/refusals.ts";
import { storedMessage } from "../postgres/rows.ts";

/** The caller that waits for an answer. `reject` is for faults only. */
export interface Waiter<T> {
  resolve: (value: Result<T>) => void;
  reject: (fault: unknown) => void;
}
export interface SendJob extends Waiter<Appended> {
  message: NewMessage;
}
export interface MarkJob extends Waiter<Marked> {
  mark: CursorMark;
}

/** The answer of write_batch; arrays run parallel to what was asked. */
export interface BatchRow {
  at: string | null;
  outcomes: number[] | null;
  ids: string[] | null;
  seqs: string[] | null;
  revs: string[] | null;
  dups: (Message & { place: number })[] | null;
  old_delivered: string[] | null;
  old_read: string[] | null;
  /** Null where all of them are their seq. */
  ns: string[] | null;
  extras: { n: number; e: Partial<Message> }[] | null;
  owns: OwnPoint[] | null;
  /** Preferences of users whose conversation is not marked unread any more; see write_batch. */
  prefs: { c: string; u: string; p: Prefs }[] | null;
  /** Users who follow a thread since the send at the place `n`. */
  followed: { n: number; u: UserId; r: number }[] | null;
}

/** A user's own point after a mark; `n` is the place of the mark. */
interface OwnPoint {
  n: number;
  s: number;
  r: number | null;
  c: number | null;
  u: number | null;
  /** 1: the member hides how far they have read; 2: the other one of the direct conversation does. */
  m: 1 | 2 | null;
  d: number;
}

/** Each answers one BatchRow. */
const WRITE_BATCH = { name: "write_batch", text: "SELECT * FROM write_batch($1, $2, $3)" };
const WRITE_SEND = { name: "write_send", text: "SELECT * FROM write_send($1, $2, $3, $4, $5)" };
const WRITE_MARK = { name: "write_mark", text: "SELECT * FROM write_mark($1, $2, $3, $4)" };

const OUTCOME = {
  added: 0,
  duplicate: 1,
  outsider: 2,
  noReply: 3,
  apart: 4,
  noFile: 5,
  notUploader: 6,
} as const;
/** In place of a mark's old cursor; -1 where there is no such member. */
const OLD_DELIVERED_APART = -2;

interface MarkRow {
  c: string;
  u: string;
  d: number;
  r: number;
  jobs: MarkJob[];
}

export class WriteBatch {
  /** Each row's first caller, then those who repeated its client_id. */
  readonly #sends: SendJob[][] = [];
  readonly #sendsByKey = new Map<string, SendJob[]>();
  readonly #marks = new Map<string, MarkRow>();

  get sends(): number {
    return this.#sends.length;
  }

  get marks(): number {
    return this.#marks.size;
  }

  get jobs(): (SendJob | MarkJob)[] {
    return [...this.#sends.flat(), ...[...this.#marks.values()].flatMap((row) => row.jobs)];
  }

  /** False when it cannot be in one statement with what is here already. */
  addSend(job: SendJob): boolean {
    const { conversationId, senderId, clientId, replyToSeq } = job.message;
    const key = `${conversationId} ${senderId} ${clientId}`;
    const first = this.#sendsByKey.get(key);
    if (first === undefined) {
      const jobs = [job];
      this.#sends.push(jobs);
      this.#sendsByKey.set(key, jobs);
      return true;
    }
    // The one may be refused and the other not: it has to wait for the first one's outcome.
    if (first[0]!.message.replyToSeq !== replyToSeq) return false;
    first.push(job);
    return true;
  }

  addMark(job: MarkJob): void {
    const { conversationId: c, userId: u, seq, read } = job.mark;
    const key = `${c} ${u}`;
    const row = this.#marks.get(key);
    if (row === undefined) {
      this.#marks.set(key, { c, u, d: read ? 0 : seq, r: read ? seq : 0, jobs: [job] });
      return;
    }
    if (read) row.r = Math.max(row.r, seq);
    else row.d = Math.max(row.d, seq);
    row.jobs.push(job);
  }

  /** The statement that commits this batch. */
  query(): Statement & { values: (string | number | null)[] } {
    if (this.#sends.length + this.#marks.size > 1) return { ...WRITE_BATCH, values: this.#rows() };
    const [mark] = this.#marks.values();
    if (mark !== undefined) {
      return { ...WRITE_MARK, values: [mark.c, mark.u, mark.d, mark.r] };
    }
    const { conversationId, senderId, clientId, body, replyToSeq, content } =
      this.#sends[0]![0]!.message;
    // As JSON, PostgreSQL refuses a text with half a surrogate pair; else pg would change it.
    const isPlain = content === undefined && isWellFormed(clientId) && isWellFormed(body);
    if (!isPlain) return { ...WRITE_BATCH, values: this.#rows() };
    return { ...WRITE_SEND, values: [conversationId, senderId, clientId, body, replyToSeq] };
  }

  /** Parameters of WRITE_BATCH. */
  #rows(): (string | null)[] {
    const conversations = new Set<string>();
    const sends = this.#sends.map(([job]) => {
      const { conversationId, senderId, clientId, body, replyToSeq, content } = job!.message;
      conversations.add(conversationId);
      const plain = { c: conversationId, s: senderId, k: clientId, b: body, r: replyToSeq };
      return content === undefined ? plain : { ...plain, ...contentRow(content) };
    });
    const marks = Array.from(this.#marks.values(), ({ c, u, d, r }) => ({ c, u, d, r }));
    return [
      `{${[...conversations].join(",")}}`,
      sends.length === 0 ? null : JSON.stringify(sends),
      marks.length === 0 ? null : JSON.stringify(marks),
    ];
  }

  /** The same batch as batches of one row, for finding the row that PostgreSQL refuses. */
  split(): WriteBatch[] {
    const parts: WriteBatch[] = [];
    for (const jobs of this.#sends) {
      const part = new WriteBatch();
      for (const job of jobs) part.addSend(job);
      parts.push(part);
    }
    for (const row of this.#marks.values()) {
      const part = new WriteBatch();
      for (const job of row.jobs) part.addMark(job);
      parts.push(part);
    }
    return parts;
  }

  /**
   * Answers everyone. `unknownSince`: the outcome of an earlier try of this batch is unknown,
   * and what it may have written was written at or after that time (ISO, database clock): such a
   * message is no duplicate to its sender, for nobody has published it.
   */
  settle(row: BatchRow, unknownSince: string | null): void {
    const unmarked = unmarkedIn(row, unknownSince);
    if (this.#sends.length > 0) this.#settleSends(row, unknownSince, unmarked);
    const owns = new Map(row.owns?.map((own) => [own.n, own]));
    let n = 0;
    for (const mark of this.#marks.values()) {
      const taken = mark.r > 0 ? unmarked(mark.c, mark.u) : undefined;
      const before = [Number(row.old_delivered?.[n]), Number(row.old_read?.[n])] as const;
      settleMark(mark, before, owns.get(n), taken);
      n++;
    }
  }

  refuse(refusal: Refusal): void {
    for (const job of this.jobs) job.resolve(refusal);
  }

  reject(fault: unknown): void {
    for (const job of this.jobs) job.reject(fault);
  }

  #settleSends(row: BatchRow, unknownSince: string | null, unmarked: UnmarkedOf): void {
    const duplicates = new Map(row.dups?.map(({ place, ...message }) => [place, message]));
    const extras = new Map(row.extras?.map(({ n, e }) => [n, e]));
    const followers = row.followed === null ? null : followersIn(row.followed);
    for (const [n, jobs] of this.#sends.entries()) {
      const outcome = row.outcomes?.[n];
      const duplicate = duplicates.get(n);
      if (outcome === OUTCOME.added) {
        const { message: asked } = jobs[0]!;
        const message = addedMessage(asked, row, n, extras.get(n));
        const lifted = unmarked(asked.conversationId, asked.senderId);
        settleSend(jobs, message, false, lifted, followers?.get(n));
      } else if (outcome === OUTCOME.duplicate && duplicate !== undefined) {
        const isFirst = isOwn(duplicate, unknownSince);
        settleSend(jobs, duplicate, !isFirst, isFirst ? null : undefined);
      } else {
        for (const job of jobs) job.resolve(sendRefusal(outcome));
      }
    }
  }
}

/** The keys of a send that a plain message does not have; see write_batch. */
function contentRow(content: NewContent): object {
  const { type, data, attachments, silent, expireInS, names, mentionAll, isStream } = content;
  const extra = {
    ...(type && { type }),
    ...(silent && { silent }),
    ...(mentionAll && { mention_all: true }),
    ...(isStream && { stream: { state: "open" as const } }),
  };
  return {
    ...(data && { d: JSON.stringify(data) }),
    ...(attachments && { f: attachments }),
    ...(Object.keys(extra).length > 0 && { e: extra }),
    ...(!countsAsUnread(extra) && { q: true }),
    ...(expireInS && { x: expireInS }),
    ...(names && { w: names }),
  };
}

function addedMessage(
  asked: NewMessage,
  row: BatchRow,
  n: number,
  extra: Partial<Message> | undefined,
): Message {
  return storedMessage(asked, {
    ...(row.ns && { n: Number(row.ns[n]) }),
    ...(extra && { extra }),
    id: row.ids![n]!,
    seq: Number(row.seqs![n]),
    rev: Number(row.revs![n]),
    createdAt: row.at!,
  });
}

function sendRefusal(outcome: number | undefined): Refusal {
  switch (outcome) {
    case OUTCOME.noReply:
      return STORAGE_REFUSALS.noReply;
    case OUTCOME.apart:
      return STORAGE_REFUSALS.apart;
    case OUTCOME.noFile:
      return STORAGE_REFUSALS.noFile;
    case OUTCOME.notUploader:
      return STORAGE_REFUSALS.notUploader;
    default:
      return REFUSALS.conversationNotFound;
  }
}

function isOwn(message: Message, unknownSince: string | null): boolean {
  return (
    unknownSince !== null &&
    message.created_at >= unknownSince &&
    message.edited_at === null &&
    message.deleted_at === null
  );
}

type UnmarkedOf = (conversation: string, user: string) => Unmarked | undefined;

/** Answers each change once. */
function unmarkedIn({ prefs }: BatchRow, unknownSince: string | null): UnmarkedOf {
  // Most batches have none.
  if (prefs === null) return () => (unknownSince === null ? undefined : null);
  const changed = new Map(prefs.map(({ c, u, p }) => [`${c} ${u}`, p]));
  return (conversation, user) => {
    const key = `${conversation} ${user}`;
    const found = changed.get(key);
    changed.delete(key);
    return found ?? (unknownSince === null ? undefined : null);
  };
}

function settleSend(
  jobs: SendJob[],
  message: Message,
  duplicate: boolean,
  unmarked: Unmarked | undefined,
  followed?: Follower[],
): void {
  for (const [i, job] of jobs.entries()) {
    const isFirst = i === 0;
    job.resolve(
      ok({
        message,
        duplicate: duplicate || i > 0,
        ...(isFirst && unmarked !== undefined && { unmarked }),
        ...(isFirst && followed && { followed }),
      }),
    );
  }
}

/** By the place of the send. */
function followersIn(rows: readonly { n: number; u: UserId; r: number }[]) {
  const followers = new Map<number, Follower[]>();
  for (const { n, u, r } of rows) {
    followers.set(n, [...(followers.get(n) ?? []), { userId: u, readSeq: r }]);
  }
  return followers;
}

/** The row's one update stands for its marks one after another. */
function settleMark(
  mark: MarkRow,
  [oldDelivered, oldRead]: readonly [number, number],
  point: OwnPoint | undefined,
  unmarked: Unmarked | undefined,
): void {
  if (oldDelivered < 0) {
    const isBlocked = oldDelivered === OLD_DELIVERED_APART;
    const refusal = isBlocked ? STORAGE_REFUSALS.apart : REFUSALS.conversationNotFound;
    for (const job of mark.jobs) job.resolve(refusal);
    return;
  }
  let delivered_seq = oldDelivered;
  let read_seq = oldRead;
  for (const [i, { mark: asked, resolve }] of mark.jobs.entries()) {
    const deliveredBefore = delivered_seq;
    const before = delivered_seq + read_seq;
    // Where all messages count, each mark has its own answer; else n is known only where the last
    // mark has come to.
    const delivered = point === undefined ? asked.seq : point.d;
    delivered_seq = Math.max(delivered_seq, delivered);
    if (point !== undefined) read_seq = Math.max(read_seq, point.s);
    else if (asked.read) read_seq = Math.max(read_seq, asked.seq);
    const own = point === undefined ? { read_seq } : ownMarks(point);
    const changed = delivered_seq + read_seq > before;
    const isFirst = i === 0 && unmarked !== undefined;
    const mask =
      point?.m == null ? null : { mask: point.m, isDelivery: delivered_seq > deliveredBefore };
    const more = { ...(isFirst && { unmarked }), ...mask };
    resolve(ok({ delivered_seq, read_seq, changed, own, ...more }));
  }
}

function ownMarks({ s, r, c, u }: OwnPoint): OwnMarks {
  return {
    read_seq: s,
    ...(r !== null && { read_n: r }),
    ...(c !== null && { cleared_n: c }),
    ...(u !== null && { unread_from_n: u }),
  };
}
