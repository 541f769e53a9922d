/**
 * Tells sessions of activity in conversations whose events they do not receive.
 *
 * A session receives the events of at most 500 conversations (its streams). Where its user has
 * more, the session is *partial*, and this module asks storage every few seconds what changed in
 * the conversations of such users, and sends `conversation_activity` for those that the session
 * has no stream of. Storage is asked, and not the conversations' actors, so that the cost falls
 * on users with more than 500 conversations alone: sends pay nothing, no topic is subscribed to,
 * and nothing can be missed, whatever was lost between hosts. For one user with 5,000
 * conversations the statement reads 5,000 rows by their index every 2.5 s; how many members a
 * conversation has makes no difference. At most a tenth of one connection's time goes into
 * these statements: with too many such users on one edge, activity is sent later.
 *
 * [CAC1] Every change of a conversation reaches a session by its stream or by a later activity.
 * [CAC2] Two activities of one conversation are at least 5 s apart in one session. Where one was
 *        sent between two looks, what changed after it is read as soon as that time is over.
 * [CAC3] A conversation in which the user was active by their own doing becomes live: the session
 *        enters its stream from the rev that was sent last, so that no change falls in between.
 * [CAC4] Own changes that were answered before that do not come as events (Session.wasAnswered).
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { ActiveConversation, ActivityRequest, Queries } from "../../ports/edge.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { asConversationId } from "../../protocol/schemas.ts";
import { ACTIVITY_EVERY_MS } from "../../protocol/session-bounds.ts";
import { type Monotonic, msBetween } from "../../protocol/time.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";

/** Half of ACTIVITY_EVERY_MS, so that a change is sent within that time of its commit. */
const LOOK_EVERY_MS = ACTIVITY_EVERY_MS / 2;
/** Pause after a round, as a multiple of the time that the round took. */
const PAUSE_FACTOR = 10;
/** A statement may commit this long after the time that it writes; see storage's deadline. */
const COMMIT_LAG_MS = 5_000;
/** Users whose conversations one statement reads. */
const USERS_AT_ONCE = 8;
/** Activities that may be sent within this time are read together. */
const SENT_TOGETHER_MS = 100;

export interface ActivityOptions {
  clock: Clock;
  log: Log;
  queries: Pick<Queries, "activity">;
  streams: {
    /** Whether the session receives the conversation's events, or is about to. */
    isFollowed(session: Session, id: ConversationId): boolean;
    enter(
      session: Session,
      id: ConversationId,
      rev: number,
      parent: ConversationId | null,
    ): Promise<void> | null;
  };
}

/** One conversation that is not live in a session, as far as the session knows it. */
interface Known {
  /** The session has every change up to this one. */
  rev: number;
  /** When that became known. */
  at: Monotonic;
  /** When the last `conversation_activity` was sent for it; null: never. */
  sentAt: Monotonic | null;
  /** A later change that came too soon after that. */
  waiting: ActiveConversation | null;
}

/** A session whose user has conversations beside its streams. */
interface Partial {
  sinceMs: number;
  /** Conversations of the last seconds: a statement may still find changes that the session has. */
  known: Map<ConversationId, Known>;
}

/** An activity that was sent because its user acted, at a time when no look was due. */
interface Early {
  session: Session;
  id: ConversationId;
  sentAt: Monotonic;
}

export class Activity {
  readonly #options: ActivityOptions;
  readonly #partials = new Map<Session, Partial>();
  /** [CAC2] Those that were sent in the last 5 s, the oldest first. */
  readonly #early = new Set<Early>();
  #cancelEarly: (() => void) | null = null;
  #isReadingEarly = false;
  #cancelNext: (() => void) | null = null;
  #isLooking = false;
  #isClosed = false;

  constructor(options: ActivityOptions) {
    this.#options = options;
  }

  /** From now on the session receives activity of conversations beside its streams. Idempotent. */
  follow(session: Session): void {
    if (this.#partials.has(session)) return;
    this.#partials.set(session, {
      sinceMs: session.readAtMs - COMMIT_LAG_MS,
      known: new Map(),
    });
    if (!this.#isLooking) this.#lookIn(LOOK_EVERY_MS);
  }

  /** The session has everything up to `rev` and no longer receives the conversation's events. */
  knows(session: Session, id: ConversationId, rev: number): void {
    const known = this.#partials.get(session)?.known;
    const sentAt = known?.get(id)?.sentAt ?? null;
    known?.set(id, { rev, at: this.#options.clock.monotonicMs(), sentAt, waiting: null });
  }

  forget(session: Session): void {
    this.#partials.delete(session);
  }

  /** The session's user has just been active in it; this is how it stands. */
  acted(session: Session, conversation: Omit<ActiveConversation, "isOwn">): void {
    const partial = this.#partials.get(session);
    if (partial === undefined) return;
    const sentAt = this.#take(session, partial, { ...conversation, isOwn: true });
    const id = asConversationId(conversation.conversation_id);
    if (sentAt !== null) this.#wasEarly({ session, id, sentAt });
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelNext?.();
    this.#cancelEarly?.();
  }

  #lookIn(delayMs: number): void {
    if (this.#isClosed || this.#cancelNext !== null) return;
    this.#cancelNext = this.#options.clock.after(delayMs, () => {
      this.#cancelNext = null;
      void this.#look();
    });
  }

  /** One round over all partial sessions. */
  async #look(): Promise<void> {
    const { clock, log } = this.#options;
    const began = clock.monotonicMs();
    this.#isLooking = true;
    try {
      const requests = this.#requests();
      for (let at = 0; at < requests.length; at += USERS_AT_ONCE) {
        if (this.#isClosed) return;
        await this.#ask(requests.slice(at, at + USERS_AT_ONCE));
      }
    } catch (err) {
      // What changed meanwhile is read in the next round.
      log.warn({ event: "activity_waits", err });
    } finally {
      this.#isLooking = false;
    }
    const tookMs = msBetween(began, clock.monotonicMs());
    if (this.#partials.size > 0) this.#lookIn(Math.max(LOOK_EVERY_MS, tookMs * PAUSE_FACTOR));
  }

  #requests(): ActivityRequest[] {
    const since = new Map<UserId, number>();
    for (const [{ user }, { sinceMs }] of this.#partials) {
      since.set(user, Math.min(sinceMs, since.get(user) ?? sinceMs));
    }
    return Array.from(since, ([user, sinceMs]) => ({ user, sinceMs }));
  }

  async #ask(requests: readonly ActivityRequest[]): Promise<void> {
    const { readAtMs, found } = await this.#options.queries.activity(requests);
    const byUser = new Map<UserId, ActiveConversation[]>(requests.map(({ user }) => [user, []]));
    for (const one of found) byUser.get(one.user)?.push(one);
    for (const [session, partial] of this.#partials) {
      const changed = byUser.get(session.user);
      // A session that began while the statement ran has a later time of its own.
      if (changed === undefined || partial.sinceMs > readAtMs) continue;
      for (const one of changed) this.#take(session, partial, one);
      this.#sendWaiting(session, partial);
      partial.sinceMs = readAtMs - COMMIT_LAG_MS;
    }
  }

  /** When an activity was sent of it; null: none was. */
  #take(session: Session, partial: Partial, changed: ActiveConversation): Monotonic | null {
    const { streams, clock } = this.#options;
    const { rev, isOwn } = changed;
    const id = asConversationId(changed.conversation_id);
    if (session.isEnded || session.left.has(id) || streams.isFollowed(session, id)) return null;
    // Version 1 of the contract has no threads.
    if (changed.threadOf !== undefined && session.contract === "1") return null;
    const known = partial.known.get(id);
    let sentAt: Monotonic | null = null;
    if (known === undefined || (rev > known.rev && this.#isDue(known, clock.monotonicMs()))) {
      sentAt = this.#send(session, partial, changed);
    } else if (rev > known.rev) {
      known.waiting = changed;
    }
    // [CAC3]
    if (isOwn) {
      const parent = changed.threadOf ?? null;
      void streams.enter(session, id, partial.known.get(id)?.rev ?? rev, parent);
    }
    return sentAt;
  }

  #wasEarly(early: Early): void {
    this.#early.add(early);
    this.#watchEarly();
  }

  #watchEarly(pauseMs = 0): void {
    const [first] = this.#early;
    if (first === undefined || this.#isClosed) return;
    if (this.#isReadingEarly || this.#cancelEarly !== null) return;
    const { clock } = this.#options;
    const inMs = ACTIVITY_EVERY_MS - msBetween(first.sentAt, clock.monotonicMs());
    this.#cancelEarly = clock.after(Math.max(pauseMs, inMs), () => {
      this.#cancelEarly = null;
      void this.#readEarly();
    });
  }

  /** [CAC2] Reads and sends what changed after the activities that another may follow by now. */
  async #readEarly(): Promise<void> {
    const { clock, log } = this.#options;
    const began = clock.monotonicMs();
    const due = this.#takeDue(began);
    this.#isReadingEarly = true;
    try {
      const users = new Set(due.map(({ session }) => session.user));
      const requests = this.#requests().filter(({ user }) => users.has(user));
      for (let at = 0; at < requests.length; at += USERS_AT_ONCE) {
        if (this.#isClosed) return;
        const some = requests.slice(at, at + USERS_AT_ONCE);
        const { found } = await this.#options.queries.activity(some);
        for (const { session, id } of due) {
          const partial = this.#partials.get(session);
          const one = found.find(
            (each) => each.user === session.user && each.conversation_id === id,
          );
          if (partial === undefined || one === undefined) continue;
          const sentAt = this.#take(session, partial, one);
          if (sentAt !== null) this.#wasEarly({ session, id, sentAt });
        }
      }
    } catch (err) {
      // The next look reads it.
      log.warn({ event: "activity_waits", err });
    } finally {
      this.#isReadingEarly = false;
    }
    const tookMs = msBetween(began, clock.monotonicMs());
    this.#watchEarly(Math.max(SENT_TOGETHER_MS, tookMs * PAUSE_FACTOR));
  }

  /** Those that something waits after, and whose time is over. */
  #takeDue(now: Monotonic): Early[] {
    const due: Early[] = [];
    for (const early of this.#early) {
      const { session, id, sentAt } = early;
      if (msBetween(sentAt, now) < ACTIVITY_EVERY_MS) break;
      this.#early.delete(early);
      if ((this.#partials.get(session)?.known.get(id)?.waiting ?? null) !== null) due.push(early);
    }
    return due;
  }

  #sendWaiting(session: Session, partial: Partial): void {
    const { streams, clock } = this.#options;
    const now = clock.monotonicMs();
    for (const [id, known] of partial.known) {
      if (!this.#isDue(known, now)) continue;
      const { waiting } = known;
      if (waiting !== null && !session.left.has(id) && !streams.isFollowed(session, id)) {
        this.#send(session, partial, waiting);
      } else if (msBetween(known.at, now) > 2 * COMMIT_LAG_MS) {
        // The statement does not find this change any more.
        partial.known.delete(id);
      }
    }
  }

  /** [CAC2] */
  #isDue({ sentAt }: Known, now: Monotonic): boolean {
    return sentAt === null || msBetween(sentAt, now) >= ACTIVITY_EVERY_MS;
  }

  #send(session: Session, partial: Partial, changed: ActiveConversation): Monotonic {
    const { user: _, isOwn: __, threadOf: ___, ...payload } = changed;
    const id = asConversationId(payload.conversation_id);
    const packet = Packet.event("conversation_activity", JSON.stringify(payload));
    session.send(packet, `conversation_activity:${id}`);
    const at = this.#options.clock.monotonicMs();
    partial.known.set(id, { rev: payload.rev, at, sentAt: at, waiting: null });
    session.forgetAnswered(id, payload.rev);
    return at;
  }
}
