/**
 * A numbered stream of changes that concern one user alone, on its way to that user's local
 * sessions: notifications by `seq`, preferences by `prefs_rev`. A change arrives as an event, and
 * as an acknowledgement at the session that made it; the two come by different ways and overtake
 * each other.
 *
 * [UST1] Each change reaches every session of its user but the one whose acknowledgement carries
 *        its number, in order. If a number does not follow the last one, and after a gap between
 *        hosts, the missing changes are read from storage first. Where storage keeps only the newest
 *        change of a thing, it takes the place of the earlier ones.
 * [UST2] The acknowledgement of a session's own change waits for the events before it.
 * [UST3] If a session's acknowledgement turns out to be a refusal or to carry another number, the
 *        session receives the event after all.
 * [UST4] The events after a session's own change wait for its acknowledgement, `ACK_HOLD_MS` at most.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { type Doubt, doubtedOf } from "../../protocol/doubt.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import { NumberAudit } from "./number-audit.ts";
import { ACK_HOLD_MS } from "./stream.ts";

const PAGE = 100;
const RETRY_MS = 500;

/** A change as storage has it. */
export interface UserChange {
  number: number;
  /** JSON text. */
  body: string;
  /** The session whose acknowledgement carries it; "": none. */
  setBy: string;
}

export interface UserStreamOptions {
  clock: Clock;
  log: Log;
  /** The event that the changes are sent as. */
  event: "notification" | "prefs_updated";
  /** The newest number of each user who has one. */
  newest(users: UserId[]): Promise<Map<UserId, number>>;
  /** Changes by rising number above `number`, at most `limit`. */
  after(user: UserId, number: number, limit: number): Promise<UserChange[]>;
  sessionsOf(user: UserId): Iterable<Session>;
}

interface HeldAck {
  number: number;
  release(): void;
}

interface Progress {
  /** The last that the sessions were sent. */
  number: number;
  isReading: boolean;
  /** While it was being read something came, or was found to be missing: to be read once more. */
  isBehind: boolean;
  heldAcks: HeldAck[];
  /** Answers that were sent before their change came as an event, by number. */
  answered: Map<number, Session>;
}

interface Owed {
  number: number;
  packet: Packet;
  /** The session's own change, which its answer is to carry. */
  isOwn: boolean;
}

/** A session's calls that are not answered, and what waits for the answers, by rising number. */
interface Calls {
  open: number;
  owed: Owed[];
  /** [UST4] */
  cancelHold: (() => void) | null;
}

export class UserStream {
  readonly #options: UserStreamOptions;
  readonly #progress = new Map<UserId, Progress>();
  /** The newest event of a user whose first session here has not read where it stands. */
  readonly #early = new Map<UserId, number>();
  readonly #calls = new Map<Session, Calls>();
  readonly #audit: NumberAudit<UserId>;

  constructor(options: UserStreamOptions) {
    this.#options = options;
    this.#audit = new NumberAudit({
      clock: options.clock,
      read: (users: UserId[]) => options.newest(users),
      found: (user, newest) => this.#found(user, newest),
    });
  }

  /** A session here begins; `number` is the user's newest. */
  begin(user: UserId, number: number): void {
    const early = this.#early.get(user) ?? 0;
    this.#early.delete(user);
    if (!this.#progress.has(user)) {
      this.#progress.set(user, {
        number,
        isReading: false,
        isBehind: false,
        heldAcks: [],
        answered: new Map(),
      });
    }
    this.#found(user, early);
  }

  /** The user's last session here is over. */
  end(user: UserId): void {
    this.#early.delete(user);
    const progress = this.#progress.get(user);
    this.#progress.delete(user);
    for (const { release } of progress?.heldAcks ?? []) release();
  }

  onEvent(user: UserId, number: number, body: string, setBy: string): void {
    const progress = this.#progress.get(user);
    if (progress === undefined) {
      for (const _ of this.#options.sessionsOf(user)) {
        this.#early.set(user, Math.max(number, this.#early.get(user) ?? 0));
        return;
      }
      return;
    }
    if (number <= progress.number) return;
    if (progress.isReading) progress.isBehind = true;
    else if (number === progress.number + 1) this.#tell(user, progress, { number, body, setBy });
    else void this.#read(user, progress);
  }

  /** The session has asked for a change. Its answer goes through `answered`, exactly once. */
  asked(session: Session): void {
    const calls = this.#calls.get(session);
    if (calls === undefined) this.#calls.set(session, { open: 1, owed: [], cancelHold: null });
    else calls.open++;
  }

  /** `number`: the one that the answer carries; 0: none. */
  answered(session: Session, number: number, send: () => void): void {
    const release = () => {
      send();
      this.#settle(session, number);
    };
    const progress = this.#progress.get(session.user);
    // [UST2]
    if (progress === undefined || number <= progress.number + 1) {
      release();
      return;
    }
    const held: HeldAck = { number, release };
    progress.heldAcks.push(held);
    this.#options.clock.after(ACK_HOLD_MS, () => {
      const at = progress.heldAcks.indexOf(held);
      if (at >= 0) progress.heldAcks.splice(at, 1)[0]?.release();
    });
    this.#found(session.user, number);
  }

  /** Changes of these users may not have arrived here. */
  onDoubt(doubt: Doubt): void {
    this.look(doubtedOf("user", doubt) ?? this.#progress.keys());
  }

  /** Compares what the sessions were sent with the newest that storage has of each user. */
  look(users: Iterable<UserId> = this.#progress.keys()): void {
    this.#audit.look([...users].filter((user) => this.#progress.has(user)));
  }

  close(): void {
    this.#audit.close();
  }

  #found(user: UserId, newest: number): void {
    const progress = this.#progress.get(user);
    if (progress === undefined || newest <= progress.number) return;
    if (progress.isReading) progress.isBehind = true;
    else void this.#read(user, progress);
  }

  /** What comes meanwhile is in what is read, or in a page after it. */
  async #read(user: UserId, progress: Progress): Promise<void> {
    const { clock, log, event, after } = this.#options;
    // The sessions may be over meanwhile, and others that know more have begun.
    const isCurrent = () => this.#progress.get(user) === progress;
    progress.isReading = true;
    let isMore = true;
    while (isMore && isCurrent()) {
      progress.isBehind = false;
      try {
        const missed = await after(user, progress.number, PAGE);
        if (!isCurrent()) return;
        for (const change of missed) this.#tell(user, progress, change);
        isMore = missed.length > 0 || progress.isBehind;
      } catch (err) {
        log.warn({ event: `${event}_wait`, user, err });
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
    progress.isReading = false;
  }

  #tell(user: UserId, progress: Progress, { number, body, setBy }: UserChange): void {
    progress.number = number;
    const packet = Packet.event(this.#options.event, body);
    for (const session of this.#options.sessionsOf(user)) {
      const isOwn = session.id === setBy;
      if (isOwn && progress.answered.get(number) === session) continue;
      const calls = this.#calls.get(session);
      // [UST4] Behind an own change everything waits.
      const waits = calls !== undefined && (isOwn || calls.owed.length > 0);
      if (!waits) session.send(packet);
      else this.#owe(session, calls, { number, packet, isOwn });
    }
    if (progress.answered.size > 0) {
      for (const at of progress.answered.keys()) if (at <= number) progress.answered.delete(at);
    }
    const due = progress.heldAcks.filter((held) => held.number <= number + 1);
    if (due.length === 0) return;
    progress.heldAcks = progress.heldAcks.filter((held) => held.number > number + 1);
    for (const { release } of due) release();
  }

  #owe(session: Session, calls: Calls, owed: Owed): void {
    calls.owed.push(owed);
    if (owed.isOwn || calls.cancelHold !== null) return;
    calls.cancelHold = this.#options.clock.after(ACK_HOLD_MS, () => {
      calls.cancelHold = null;
      for (const { packet } of calls.owed.splice(0)) session.send(packet);
    });
  }

  #settle(session: Session, number: number): void {
    const progress = this.#progress.get(session.user);
    if (progress !== undefined && number > progress.number) {
      progress.answered.set(number, session);
    }
    const calls = this.#calls.get(session);
    if (calls === undefined) return;
    calls.open--;
    calls.owed = calls.owed.filter((owed) => owed.number !== number);
    // [UST3] Without a call that is open, no answer will carry what is left.
    const own = calls.open > 0 ? calls.owed.findIndex(({ isOwn }) => isOwn) : -1;
    const due = calls.owed.splice(0, own < 0 ? calls.owed.length : own);
    if (calls.owed.length === 0) {
      calls.cancelHold?.();
      calls.cancelHold = null;
    }
    if (calls.open === 0) this.#calls.delete(session);
    for (const { packet } of due) session.send(packet);
  }
}
