/**
 * Changes of users' own preferences on their way to local sessions, by rising `prefs_rev`.
 *
 * [PFS1] Each change reaches every session of its user but the one whose acknowledgement carries
 *        its number, in order. What does not follow the last one is read from storage first; of a
 *        conversation that changed several times meanwhile, storage has the newest change.
 * [PFS2] The acknowledgement of a session's own change waits for the events before it.
 * [PFS3] A session that was to have a change by its acknowledgement, and is refused or answered
 *        with another number, receives the event after all.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { PrefsQueries } from "../../ports/prefs.ts";
import { type Doubt, doubtedOf } from "../../protocol/doubt.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import { NumberAudit } from "./number-audit.ts";
import { ACK_HOLD_MS } from "./stream.ts";

const PAGE = 100;
const RETRY_MS = 500;

export interface PrefsStreamOptions {
  clock: Clock;
  log: Log;
  queries: Pick<PrefsQueries, "prefsAfter" | "prefsRevs">;
  sessionsOf(user: UserId): Iterable<Session>;
}

interface HeldAck {
  rev: number;
  release(): void;
}

interface Progress {
  /** The last that the sessions were sent. */
  rev: number;
  isReading: boolean;
  /** While it was being read something came, or was found to be missing: to be read once more. */
  isBehind: boolean;
  heldAcks: HeldAck[];
}

/** A session's calls that are not answered, and the changes that their answers are to carry. */
interface Calls {
  open: number;
  owed: { rev: number; packet: Packet }[];
}

export class PrefsStream {
  readonly #options: PrefsStreamOptions;
  readonly #progress = new Map<UserId, Progress>();
  /** The newest event of a user whose first session here has not read where it stands. */
  readonly #early = new Map<UserId, number>();
  readonly #calls = new Map<Session, Calls>();
  readonly #audit: NumberAudit<UserId>;

  constructor(options: PrefsStreamOptions) {
    this.#options = options;
    this.#audit = new NumberAudit({
      clock: options.clock,
      read: (users: UserId[]) => options.queries.prefsRevs(users),
      found: (user, newest) => this.#found(user, newest),
    });
  }

  /** A session here begins; `rev` is the user's newest. */
  begin(user: UserId, rev: number): void {
    const early = this.#early.get(user) ?? 0;
    this.#early.delete(user);
    if (!this.#progress.has(user)) {
      this.#progress.set(user, { rev, isReading: false, isBehind: false, heldAcks: [] });
    }
    this.#found(user, early);
  }

  /** The user's last session here is over. */
  end(user: UserId): void {
    this.#early.delete(user);
    for (const { release } of this.#progress.get(user)?.heldAcks ?? []) release();
    this.#progress.delete(user);
  }

  onEvent(user: UserId, rev: number, body: string, except: string): void {
    const progress = this.#progress.get(user);
    if (progress === undefined) {
      this.#early.set(user, Math.max(rev, this.#early.get(user) ?? 0));
      return;
    }
    if (rev <= progress.rev) return;
    if (progress.isReading) progress.isBehind = true;
    else if (rev === progress.rev + 1) this.#tell(user, progress, rev, body, except);
    else void this.#read(user, progress);
  }

  /** The session has asked for a change. Its answer goes through `answered`, exactly once. */
  asked(session: Session): void {
    const calls = this.#calls.get(session);
    if (calls === undefined) this.#calls.set(session, { open: 1, owed: [] });
    else calls.open++;
  }

  /** `rev`: the number that the answer carries; 0: none. */
  answered(session: Session, rev: number, send: () => void): void {
    const release = () => {
      send();
      this.#settle(session, rev);
    };
    const progress = this.#progress.get(session.user);
    // [PFS2]
    if (progress === undefined || rev <= progress.rev + 1) {
      release();
      return;
    }
    const held: HeldAck = { rev, release };
    progress.heldAcks.push(held);
    this.#options.clock.after(ACK_HOLD_MS, () => {
      const at = progress.heldAcks.indexOf(held);
      if (at >= 0) progress.heldAcks.splice(at, 1)[0]?.release();
    });
    this.#found(session.user, rev);
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
    if (progress === undefined || newest <= progress.rev) return;
    if (progress.isReading) progress.isBehind = true;
    else void this.#read(user, progress);
  }

  /** What comes meanwhile is in what is read, or in a page after it. */
  async #read(user: UserId, progress: Progress): Promise<void> {
    const { clock, log, queries } = this.#options;
    progress.isReading = true;
    let isMore = true;
    while (isMore && this.#progress.get(user) === progress) {
      progress.isBehind = false;
      try {
        const missed = await queries.prefsAfter(user, progress.rev, PAGE);
        for (const { prefs, setBy } of missed) {
          this.#tell(user, progress, prefs.prefs_rev, JSON.stringify(prefs), setBy);
        }
        isMore = missed.length > 0 || progress.isBehind;
      } catch (error) {
        log.warn({ event: "prefs_wait", user, err: error });
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
    progress.isReading = false;
  }

  #tell(user: UserId, progress: Progress, rev: number, body: string, except: string): void {
    progress.rev = rev;
    const packet = Packet.event("prefs_updated", body);
    for (const session of this.#options.sessionsOf(user)) {
      if (session.id !== except) session.send(packet);
      else this.#calls.get(session)?.owed.push({ rev, packet });
    }
    const due = progress.heldAcks.filter((held) => held.rev <= rev + 1);
    if (due.length === 0) return;
    progress.heldAcks = progress.heldAcks.filter((held) => held.rev > rev + 1);
    for (const { release } of due) release();
  }

  /** [PFS3] */
  #settle(session: Session, rev: number): void {
    const calls = this.#calls.get(session);
    if (calls === undefined) return;
    calls.open--;
    calls.owed = calls.owed.filter((owed) => owed.rev !== rev);
    if (calls.open > 0) return;
    this.#calls.delete(session);
    for (const { packet } of calls.owed) session.send(packet);
  }
}
