/** Types of the checker's rules and findings. Rules are pure functions of a history. */
import type { History, MessageFact } from "./history.ts";
import { Lineage } from "./lineage.ts";
import { Membership } from "./membership.ts";
import { type SessionTrail, sessionsOf } from "./sessions.ts";

export interface Finding {
  /** One sentence that says who, what and when. */
  what: string;
  /** The records or facts that show it. */
  evidence: unknown[];
}

export interface Verdict {
  findings: Finding[];
  /** How many cases the rule examined; a rule that examined none proved nothing. */
  looked: number;
}

export interface Rule {
  id: string;
  /** The number of the promise in the wire contract that the rule belongs to. */
  promise: number;
  title: string;
  check(view: HistoryView): Verdict;
}

/** A history with what many rules derive from it, derived once. */
export class HistoryView {
  readonly history: History;
  readonly sessions: SessionTrail[];
  readonly membership: Membership;
  readonly lineage: Lineage;
  /** Final messages by conversation and seq. */
  readonly messages: Map<string, Map<number, MessageFact>>;
  /** The parent of each thread. */
  readonly threads: Map<string, string>;

  constructor(history: History) {
    this.history = history;
    this.threads = new Map(
      history.final.conversations.flatMap(({ id, parent }) =>
        parent === undefined ? [] : [[id, parent.conversation] as const],
      ),
    );
    this.sessions = sessionsOf(history);
    this.membership = new Membership(history);
    this.lineage = new Lineage(history);
    this.messages = new Map(
      history.final.conversations.map(({ id, messages }) => [
        id,
        new Map(messages.map((message) => [message.seq, message])),
      ]),
    );
  }

  nameOf(user: string): string {
    const client = this.history.clients.find((one) => one.user === user);
    return client?.name.split("/")[0] ?? `user ${user}`;
  }
}

/** The most findings kept of one rule. */
const FINDINGS_MAX = 200;

/** Gathers findings while a rule looks. */
export class Look {
  readonly findings: Finding[] = [];
  looked = 0;

  at(holds: boolean, what: () => string, ...evidence: unknown[]): void {
    this.looked++;
    if (holds || this.findings.length >= FINDINGS_MAX) return;
    this.findings.push({ what: what(), evidence });
  }

  get verdict(): Verdict {
    return { findings: this.findings, looked: this.looked };
  }
}
