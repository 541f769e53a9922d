/**
 * What happened in a run, as plain values: everything the checker judges and the report shows.
 * Clients and probes write it through a `Recorder`; times are milliseconds since its begin,
 * of one clock. A stored history (history.json) can be judged without the programs that made it.
 */
import type { FaultName } from "./fault-table.ts";

/** How a client learned of a change: by an event, by the ack of its own, or of a repeated send. */
export type Via = "event" | "ack" | "duplicate";

interface At {
  atMs: number;
}
interface Of extends At {
  /** Index into `History.clients`. */
  client: number;
}

/** A durable change of a conversation as one client learned of it. */
export interface ChangeRecord extends Of {
  kind: "change";
  via: Via;
  name: string;
  conversation: string;
  rev: number;
  /** Present when a message changed; absent for a change of the conversation itself. */
  message?: MessageFact;
  /** The message whose reactions changed: the rest of it is not in such an event or answer. */
  seq?: number;
  /** After a change of the conversation itself. */
  members?: string[];
}

export interface MessageFact {
  id: string;
  seq: number;
  rev: number;
  sender: string;
  clientId: string;
  /** A digest of body and deletion: equal digests mean equal content. */
  digest: string;
  deleted: boolean;
  /** As `reactionsText` writes them; absent where there are none. */
  reactions?: string;
}

export interface SyncedConversation {
  conversation: string;
  /** The `after_rev` that the client sent; null where it did not list the conversation. */
  afterRev: number | null;
  rev: number;
  /** [seq, rev] of each message in the answer. */
  messages: [number, number][];
  members?: string[];
  hasMore: boolean;
  reset: boolean;
}

export type Rec =
  | ChangeRecord
  | (Of & { kind: "connected"; host: number; session: string })
  | (Of & { kind: "disconnected"; reason: string })
  | (Of & { kind: "refused_connect"; host: number; code: string })
  | (Of & { kind: "told"; what: "server_draining" | "session_ended"; code: string })
  /** A command was sent; `op` numbers it within its client, and all tries of one send share it. */
  | (Of & {
      kind: "tried";
      op: number;
      name: string;
      conversation: string;
      clientId?: string;
      digest?: string;
      seq?: number;
      /** What a reaction is, and whether it is set or taken back. */
      key?: string;
      on?: boolean;
      /** The preference marks the conversation unread. */
      marksUnread?: boolean;
    })
  | (Of & { kind: "answered"; op: number; name: string; ok: boolean; code: string; ms: number })
  /** The connection ended first, so no answer is owed. */
  | (Of & { kind: "cut_off"; op: number; name: string })
  /** The deadline passed while the connection lived. */
  | (Of & { kind: "unanswered"; op: number; name: string; ms: number })
  | (Of & {
      kind: "synced";
      conversations: SyncedConversation[];
      /** Conversations that were listed and are neither in the answer nor removed: unchanged. */
      unchanged: [string, number][];
      removed: string[];
      hasMore: boolean;
      /** The newest of the client's own preferences that it has then; absent in version 1. */
      prefsRev?: number;
    })
  | (Of & {
      kind: "marked";
      conversation: string;
      deliveredSeq: number;
      readSeq: number;
      /** Absent in the answer to `mark_delivered`. */
      unreadCount?: number;
      /** The newest message that the client knew when it asked. */
      knownSeq: number;
    })
  /** A change of the client's own preferences, by its number. */
  | (Of & { kind: "prefs"; via: "event" | "ack"; conversation: string; rev: number })
  /** Something that is only for sessions of contract 1.1, by its event or key. */
  | (Of & { kind: "newer"; name: string; conversation: string })
  | (Of & {
      kind: "receipt";
      conversation: string;
      user: string;
      deliveredSeq: number;
      readSeq: number;
    })
  | (Of & { kind: "typing"; conversation: string; user: string; isTyping: boolean })
  | (Of & { kind: "status"; user: string; status: string; via: "event" | "ack" })
  /** The client stops reading its socket, or resumes. */
  | (Of & { kind: "reading"; isReading: boolean })
  /**
   * An HTTP call that sets something, from its beginning to its answer. `ok` is null where none came.
   * For a role, `subject` is the user and `value` the role; for a pin the seq, and `on` or `off`; for
   * a member the user, and `in` or `out`.
   */
  | (At & {
      kind: "set";
      what: "role" | "pin" | "member";
      conversation: string;
      subject: string;
      value: string;
      fromMs: number;
      ok: boolean | null;
    })
  | (At & { kind: "ready_sample"; host: number; status: number; word: string })
  | (At & { kind: "memory_sample"; host: number; workerRssMbMax: number })
  | (At & {
      kind: "presence_probe";
      why: string;
      /**
       * How long it took until every reachable host answered correctly; null when that took too
       * long.
       */
      trueAfterMs: number | null;
      wrong: string[];
    });

export interface FaultRecord {
  fault: FaultName;
  /** Names the host, worker and signal. */
  detail: string;
  injectedAtMs: number;
  /** When the harness had healed it; null when it could not. */
  healedAtMs: number | null;
  /**
   * When all hosts were ready, all clients back and presence right; null when that took too long.
   */
  recoveredAtMs: number | null;
  claims: Claim[];
}

/** An effect that this fault must have, and whether it was observed. */
export interface Claim {
  claim: string;
  holds: boolean;
  found: string;
}

export interface FinalConversation {
  id: string;
  kind: string;
  rev: number;
  lastSeq: number;
  /** Only threads have one: where the root is. Their members are their followers. */
  parent?: { conversation: string; seq: number };
  members: { user: string; deliveredSeq: number; readSeq: number; role?: string }[];
  messages: MessageFact[];
  pinned: number[];
  /** The rows of reactions, one for each user and key. */
  reactors: { seq: number; user: string; key: string }[];
}

export interface FinalReplica {
  client: number;
  conversations: {
    id: string;
    rev: number;
    /** Messages up to this seq existed before the client learned of the conversation. */
    baseSeq: number;
    messages: { seq: number; rev: number; digest: string; reactions?: string }[];
    /** By the client's own arithmetic; absent for a session of version 1. */
    unread?: number;
  }[];
  /** Absent for a session of version 1. */
  prefs?: FinalPrefs[];
}

export interface FinalPrefs {
  conversation: string;
  rev: number;
  /** All of it, as JSON with sorted keys. */
  text: string;
}

export interface FinalUnread {
  user: string;
  conversations: {
    id: string;
    lastSeq: number;
    readSeq: number;
    unreadCount: number;
    /** Where the user has marked it unread. */
    unreadFrom?: number;
  }[];
  prefs: FinalPrefs[];
}

export interface FinalFacts {
  conversations: FinalConversation[];
  replicas: FinalReplica[];
  unread: FinalUnread[];
  /** Who is typing, as `join_conversation` answers after all have stopped. */
  typing: { conversation: string; users: string[] }[];
  /** The differences that `troupe recount` found, in its own words; null where it did not run. */
  recount: string[] | null;
}

export interface History {
  seed: number;
  command: string;
  startedAt: string;
  hosts: number;
  workers: number;
  /** How much a busy machine may add to promised times. */
  slackMs: number;
  /** `contract`: what its sessions speak. */
  clients: { name: string; user: string; contract: string }[];
  records: Rec[];
  faults: FaultRecord[];
  /** When the load stopped. */
  loadEndedAtMs: number;
  endedAtMs: number;
  final: FinalFacts;
  /** Why the run could not be completed; absent when it was. */
  broken?: string;
}

/** The most records a run may keep in memory, at about 200 bytes each. */
const RECORDS_MAX = 2_000_000;

export class Recorder {
  readonly records: Rec[] = [];
  readonly faults: FaultRecord[] = [];
  readonly #beganMs = performance.now();

  nowMs(): number {
    return Math.round((performance.now() - this.#beganMs) * 10) / 10;
  }

  add(rec: Rec): void {
    if (this.records.length >= RECORDS_MAX) throw new Error("the history is full: a shorter run");
    this.records.push(rec);
  }
}
