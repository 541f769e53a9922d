/**
 * Delivers one conversation's events in order to all local sessions.
 *
 * [STM1] Durable events reach the sessions by rising `rev`, none skipped. If a `rev` does not follow
 *        the last one, or a hint says that there is a later one, the changes between are read from
 *        storage first.
 * [STM2] The ack of a session's own change takes the place of its event: it waits for the events
 *        before it, and leaves with the event where that arrives first.
 * [STM3] Users do not receive their own typing. It ends here when its publisher lost the actor.
 * [STM5] A receipt that would move a member's cursors back is not sent.
 * [STM4] The edge subscribes to the topic while the stream has sessions.
 * [ISO1] Members join the stream before the event that names them, and leave after it.
 * [STM7] A change of a message that is hidden from a session's user reaches the session as
 *        `rev_skipped`. A session of version 1 receives a substitute: see Streams.
 * [STM6] Changes of a large group name only the members who came and went, and sessions stay or
 *        leave by those names; where a repair does not know them, by the list of all members.
 */
import type { Change, Changes } from "../../ports/edge.ts";
import type { ReactionNote } from "../../protocol/actor-ops.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { isMemberAfter } from "../../protocol/members.ts";
import { receiptNoteOf } from "../../protocol/receipt-notes.ts";
import { asUserId, type Conversation } from "../../protocol/schemas.ts";
import { type Topic, topicOf } from "../../protocol/topics.ts";
import type { Frame } from "../../runtime/frames.ts";
import { LazyMap } from "../session/lazy.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import { newsOf, reactionKey, seqIn, whatOf } from "./event-texts.ts";
import { Receipts } from "./receipts.ts";
import { deliverSignal } from "./signal-delivery.ts";
import type { HeldAck, Phase, Release, StreamOwner } from "./stream-owner.ts";
import {
  deliverToSome,
  durablePacket,
  revSkipped,
  typingEnded,
  withOwn,
} from "./stream-packets.ts";

/** More than this waiting during a repair is given up and read from storage instead. */
const WAITING_EVENTS_MAX = 5_000;
/** An ack waits at most this long for the events before it. */
export const ACK_HOLD_MS = 5_000;

/** The cursors of one member, as an event has them. */
export type PassingReceipt = Pick<Frame, "body" | "except" | "note">;

const LIVE: Phase = { is: "live" };
const NOBODY: ReadonlySet<Session> = new Set();

export class Stream {
  readonly id: ConversationId;
  /** See channel-stream.ts. */
  readonly isChannel: boolean = false;
  /** The conversation in which a thread has its root; null: it is no thread. */
  readonly parent: ConversationId | null;
  readonly topic: Topic;
  readonly sessions = new Set<Session>();
  /** Users who are typing, as the local sessions know, with the incarnation that published it. */
  readonly typing = new LazyMap<string, string>();
  /** The first seq that a user may see, for those who may not see all from the beginning. */
  readonly visibleFrom = new LazyMap<string, number>();
  #rev = 0;
  /** The highest rev that `expect` received while the stream was not live; 0: none. */
  #expectedRev = 0;
  #phase: Phase = { is: "opening", waiting: [] };
  #opening: { opened: Promise<void>; mark: () => void } | null = null;
  #heldAcks: HeldAck[] = [];
  /** Sessions whose ack stands for an event that has not come by yet, by rev. */
  readonly #acked = new LazyMap<number, Set<Session>>();
  /** Sessions that came with a later rev than this stream's, which they have already. */
  readonly #ahead = new LazyMap<Session, number>();
  /** Cursors from storage that wait until the stream is live, by member. */
  readonly #moved = new LazyMap<string, PassingReceipt>();
  readonly #receipts = new Receipts();
  protected readonly host: StreamOwner<Stream>;

  constructor(id: ConversationId, host: StreamOwner<Stream>, parent: ConversationId | null = null) {
    this.id = id;
    this.parent = parent;
    this.topic = topicOf.conversation(id);
    this.host = host;
  }

  /** Resolves when the stream is live for the first time. */
  get opened(): Promise<void> {
    if (this.#phase.is !== "opening") return Promise.resolve();
    if (this.#opening === null) {
      let mark: () => void = () => undefined;
      const opened = new Promise<void>((resolve) => {
        mark = resolve;
      });
      this.#opening = { opened, mark };
    }
    return this.#opening.opened;
  }

  get rev(): number {
    return this.#rev;
  }

  get isLive(): boolean {
    return this.#phase.is === "live";
  }

  get isOpening(): boolean {
    return this.#phase.is === "opening";
  }

  /** `haveRev`: the session has everything up to it, also what is still to come by here. */
  attach(session: Session, haveRev = 0): void {
    if (this.sessions.has(session)) return;
    this.sessions.add(session);
    if (haveRev > this.#rev) this.#ahead.set(session, haveRev);
    session.streams.add(this);
    if (this.parent !== null) session.threads++;
    if (this.sessions.size === 1) this.host.occupied(this, true);
    this.host.entered(session, this);
  }

  detach(session: Session): void {
    if (!this.sessions.delete(session)) return;
    this.#ahead.delete(session);
    session.streams.delete(this);
    if (this.parent !== null) session.threads--;
    if (this.sessions.size === 0) this.host.occupied(this, false);
  }

  /**
   * The sessions have everything up to `rev`. Read after the subscription was confirmed, the
   * conversation stands there, or somewhere else: then what lies between is read first.
   */
  open(rev: number, isElsewhere: boolean): void {
    if (this.#phase.is !== "opening") return;
    this.#rev = rev;
    if (isElsewhere) this.#repair(this.#phase.waiting);
    else this.#goLive();
    this.#opening?.mark();
    this.#opening = null;
  }

  onEvent(event: Frame): void {
    if (this.#phase.is !== "live") {
      this.#wait(this.#phase.waiting, event);
      return;
    }
    if (event.rev === 0) this.deliverPassing(event);
    else if (event.rev === this.#rev + 1)
      this.#deliverDurable(event.name, event.rev, event.body, event.except, event.note);
    else if (event.rev > this.#rev) this.#repair([event]);
  }

  cursorsMoved(user: string, receipt: PassingReceipt): void {
    if (this.#phase.is === "live") this.#deliverReceipt(receipt);
    else this.#moved.set(user, receipt);
  }

  /** Storage or an answer says that the conversation has come to `rev`. */
  expect(rev: number): void {
    if (rev <= this.#rev) return;
    if (this.#phase.is === "live") this.#repair([]);
    // A reading that is under way may have begun before that change.
    else this.#expectedRev = Math.max(this.#expectedRev, rev);
  }

  /** What `StreamHost.repair` read, by rising rev. */
  repaired({ changes, forgotten }: Changes): void {
    if (forgotten !== null) this.#tellRemoved(forgotten);
    for (const { name, rev, body, memberIds } of changes) {
      if (rev <= this.#rev) continue;
      if (name === "conversation_updated") {
        this.#deliverDurable(name, rev, body, "", "", memberIds);
        continue;
      }
      if (name === "reaction") {
        this.#deliverDurable(name, rev, body, "", this.#waitingNote(rev));
        continue;
      }
      const { maker, what } = this.#makerOf(name, body);
      this.#deliverDurable(name, rev, body, maker?.id ?? "", what);
    }
  }

  /** The note of an event that waits for the repair, which reads that event, too. */
  #waitingNote(rev: number): string {
    const waiting = this.#phase.is === "live" ? [] : this.#phase.waiting;
    return waiting.find((event) => event.rev === rev)?.note ?? "";
  }

  /** [STM2] The session that made this change and has no answer yet. */
  #makerOf(name: string, body: string): { maker: Session | null; what: string } {
    const change = whatOf(name, body);
    if (change === null) return { maker: null, what: "" };
    const { by, what } = change;
    for (const session of by === null ? this.sessions : this.host.sessionsOf(by)) {
      if (session.awaits(`${this.id} ${what}`, body)) return { maker: session, what };
    }
    return { maker: null, what };
  }

  /** Whether a change of a message is hidden from the user; see visibleFrom. */
  hides(user: UserId, body: string): boolean {
    const from = this.visibleFrom.get(user);
    return from !== undefined && seqIn(body) < from;
  }

  /** The last batch of a repair was taken. */
  repairDone(): void {
    if (this.#phase.is === "repairing") this.#goLive();
  }

  /**
   * Sends the ack of a session's own change when the events before it are out; it stands for
   * the event of that rev.
   */
  ack(session: Session, rev: number, release: Release): void {
    const held: HeldAck = { rev, session, release };
    if (rev <= this.#rev + 1) {
      this.#release(held);
      return;
    }
    this.#heldAcks.push(held);
    this.host.after(ACK_HOLD_MS, () => {
      const at = this.#heldAcks.indexOf(held);
      if (at >= 0) this.#release(this.#heldAcks.splice(at, 1)[0]!);
    });
    this.expect(rev - 1);
  }

  /** [STM2] The session had its change of that rev by an answer before it entered. */
  answered(session: Session, rev: number): void {
    if (rev <= this.#rev) return;
    this.#acked.set(rev, (this.#acked.get(rev) ?? new Set()).add(session));
  }

  /** If the change ran twice, its first event was the answer: then the second event is delivered. */
  #release({ rev, session, release }: HeldAck): void {
    this.beforeAck(session, rev);
    if (release()) this.answered(session, rev);
  }

  /** The session is about to receive the ack of a change of that rev. */
  protected beforeAck(_session: Session, _rev: number): void {
    // Only a channel leaves anything out before an ack.
  }

  types(user: string, incarnation: string): void {
    this.typing.set(user, incarnation);
    this.host.types(this);
  }

  /** Ends typing that others than the owner published: nobody would announce its end. */
  endTyping(owner: string | null): void {
    for (const [user, incarnation] of this.typing) {
      if (incarnation === owner) continue;
      this.typing.delete(user);
      this.fanOut(typingEnded(this.id, user), "", user, `typing:${this.id}:${user}`);
    }
  }

  #repair(waiting: Frame[]): void {
    this.#phase = { is: "repairing", waiting };
    this.host.repair(this);
  }

  #wait(waiting: Frame[], event: Frame): void {
    if (waiting.length < WAITING_EVENTS_MAX) waiting.push(event);
    // Dropped: the next durable event shows the gap and it is read from storage.
  }

  #goLive(): void {
    const waiting = this.#phase.is === "live" ? [] : this.#phase.waiting;
    this.#phase = LIVE;
    for (const event of waiting) this.onEvent(event);
    for (const [user, receipt] of this.#moved) {
      this.#moved.delete(user);
      this.#deliverReceipt(receipt);
    }
    const expectedRev = this.#expectedRev;
    this.#expectedRev = 0;
    this.expect(expectedRev);
    if (this.#heldAcks.length === 0) return;
    // Asked for while the stream was not live.
    this.#releaseAcks();
    for (const { rev } of this.#heldAcks) this.expect(rev - 1);
  }

  protected deliverPassing(event: Frame): void {
    if (event.name === "receipt") {
      this.#deliverReceipt(event);
      return;
    }
    if (event.name === "signal") {
      deliverSignal(this.id, this.sessions, event);
      return;
    }
    const packet = Packet.event(event.name, event.body);
    if (event.name === "message_delta" && this.visibleFrom.size > 0) {
      deliverToSome(this.sessions, packet, event, (user) => this.hides(user, event.body));
      return;
    }
    if (event.name !== "typing") {
      this.fanOut(packet, event.except, "", null);
      return;
    }
    // It may have waited here while the actor moved.
    if (this.host.isOutdated(event, `conversation:${this.id}`)) return;
    const user = event.except;
    if (event.body.endsWith('"is_typing":true}')) this.types(user, event.from);
    else this.typing.delete(user);
    this.fanOut(packet, "", user, `typing:${this.id}:${user}`);
  }

  /** [MRK1] */
  #deliverReceipt({ body, except, note }: PassingReceipt): void {
    const { reach, member, own } = receiptNoteOf(note);
    const isMasked = reach !== "all";
    const told = reach === "own" ? null : this.#receipts.advanced(body, isMasked);
    if (told === null && !isMasked) return;
    const packet = told === null ? null : Packet.event("receipt", told);
    const ownPacket =
      own === null ? packet : Packet.event("receipt", withOwn(told ?? body, own, isMasked));
    // The newest value of one member's cursors.
    const key = member === "" ? null : `receipt:${this.id}:${member}`;
    for (const session of this.sessions) {
      if (session.id === except) continue;
      const sent = session.user === member ? ownPacket : packet;
      if (sent !== null) session.send(sent, key);
    }
  }

  /** `what`: of the session's own change; see Session.awaits. `memberIds`: see Change. */
  #deliverDurable(
    name: string,
    rev: number,
    body: string,
    except: string,
    what: string,
    memberIds?: readonly string[],
  ): void {
    this.#rev = rev;
    const acked = this.takeAcked(rev);
    const packet = durablePacket(name, body, this.host.links);
    if (name === "conversation_updated") this.deliverConversation(packet, body, memberIds);
    else if (name === "reaction") {
      this.fanOutDurable(packet, this.#answered(what, acked), "", "", body);
    } else if (name === "conversation_deleted") this.#deliverDeletion(packet, body);
    else this.fanOutDurable(packet, acked, except, what, body);
    this.delivered(rev);
  }

  /** [STM2] A flush holds the changes of many: answers those who wait for it, and names them. */
  #answered(note: string, acked: ReadonlySet<Session>): ReadonlySet<Session> {
    if (note === "") return acked;
    const answered = new Set(acked);
    const { makers, reactions } = JSON.parse(note) as ReactionNote;
    const byId = new Map(Array.from(this.sessions, (session) => [session.id as string, session]));
    for (const { session: id, ask, own } of makers) {
      const session = byId.get(id);
      const answer = JSON.stringify({ rev: this.#rev, reactions, own });
      if (session?.answers(reactionKey(this.id, ask), answer)) answered.add(session);
    }
    return answered;
  }

  /** Follows from which seq on the members that the conversation names may see. */
  protected followVisible(body: string): void {
    if (this.visibleFrom.size === 0 && !body.includes('"visible_from_seq":')) return;
    const { members, members_partial, removed_user_ids } = JSON.parse(body) as Conversation;
    if (members_partial !== true) this.visibleFrom.clear();
    for (const user of removed_user_ids ?? []) this.visibleFrom.delete(user);
    for (const { user_id, visible_from_seq } of members) {
      if (visible_from_seq === undefined) this.visibleFrom.delete(user_id);
      else this.visibleFrom.set(user_id, visible_from_seq);
    }
  }

  /** [ISO1] [STM6] */
  protected deliverConversation(packet: Packet, body: string, memberIds?: readonly string[]): void {
    const news = newsOf(body, memberIds);
    this.followVisible(body);
    this.#receipts.follow(news);
    for (const user of news.is === "whole" ? news.memberIds : news.addedIds) {
      for (const session of this.host.sessionsOf(asUserId(user))) {
        if (this.host.hasRoom(session) && session.wantsStream(this.id)) this.attach(session);
      }
    }
    this.fanOutDurable(packet, NOBODY, "", "", body);
    for (const session of this.sessions) {
      // Such a session has changes that are newer than this one.
      if (this.#ahead.has(session)) continue;
      if (!isMemberAfter(news, session.user, true)) this.#leave(session);
    }
  }

  #leave(session: Session): void {
    this.detach(session);
    if (session.threads > 0) this.host.left(session.user);
  }

  /** [ISO1] The last event of the conversation. */
  #deliverDeletion(packet: Packet, body: string): void {
    this.fanOutDurable(packet, NOBODY, "", "", body);
    for (const session of this.sessions) if (!this.#ahead.has(session)) this.detach(session);
  }

  /**
   * The changes before this one are forgotten. A session whose user is not a member after it receives
   * this change and leaves.
   */
  #tellRemoved({ name, rev, body, memberIds }: Change): void {
    const news = newsOf(body, memberIds);
    const packet = durablePacket(name, body, this.host.links);
    this.#receipts.follow({ is: "whole", memberIds: new Set() });
    for (const session of this.sessions) {
      const isNewer = (this.#ahead.get(session) ?? 0) >= rev;
      if (isNewer || isMemberAfter(news, session.user, true)) continue;
      session.send(packet);
      this.#leave(session);
    }
  }

  /** `acked` have this change by their ack; `maker` made it and is answered with it, or receives it. */
  protected fanOutDurable(
    packet: Packet,
    acked: ReadonlySet<Session>,
    maker: string,
    what: string,
    body: string,
  ): void {
    // [STM7] Parsed only where something may be hidden from somebody.
    const isHidden = this.visibleFrom.size > 0;
    const seq = isHidden ? seqIn(body) : Infinity;
    const isAnyAhead = this.#ahead.size > 0;
    for (const session of this.sessions) {
      if (acked.has(session) || (isAnyAhead && this.#ahead.has(session))) continue;
      if (isHidden && seq < (this.visibleFrom.get(session.user) ?? 0)) {
        this.#skip(session);
        continue;
      }
      if (session.id === maker && session.answers(`${this.id} ${what}`, body)) continue;
      this.put(session, packet);
    }
  }

  /** Sends a session the event of the present rev. */
  protected put(session: Session, packet: Packet): void {
    session.send(packet);
  }

  /** Those who have the change of that rev by their ack; asked for once. */
  protected takeAcked(rev: number): ReadonlySet<Session> {
    const acked = this.#acked.get(rev) ?? NOBODY;
    if (acked !== NOBODY) this.#acked.delete(rev);
    return acked;
  }

  /** The rev up to which the session has everything already. */
  protected haveRevOf(session: Session): number {
    return this.#ahead.get(session) ?? 0;
  }

  /** The changes up to `rev` are delivered. */
  protected delivered(rev: number): void {
    this.#rev = rev;
    for (const [session, haveRev] of this.#ahead) {
      if (haveRev <= rev) this.#ahead.delete(session);
    }
    if (this.#heldAcks.length > 0) this.#releaseAcks();
  }

  /** [STM7] The change of the present rev is hidden from the session's user. */
  #skip(session: Session): void {
    if (session.contract !== "1") {
      session.send(revSkipped(this.id, this.#rev));
      return;
    }
    this.detach(session);
    this.host.catchUp(session, this, this.#rev - 1);
  }

  protected fanOut(
    packet: Packet,
    exceptSession: string,
    exceptUser: string,
    latest: string | null,
  ): void {
    for (const session of this.sessions) {
      if (session.id === exceptSession || session.user === exceptUser) continue;
      session.send(packet, latest);
    }
  }

  #releaseAcks(): void {
    const ready = this.#heldAcks.filter((held) => held.rev <= this.#rev + 1);
    this.#heldAcks = this.#heldAcks.filter((held) => held.rev > this.#rev + 1);
    for (const held of ready) this.#release(held);
  }
}
