/**
 * Delivers a channel to the local sessions that watch it, in order as any stream does. These sessions
 * have asked for it, so no change of members brings a session in or takes one out.
 *
 * [CHD1] Above GATHER_ABOVE changes a second they come gathered, as `changes`, at most every
 *        GATHER_MS, encoded once for all sessions but those that made one of them.
 * [CHD2] A session that reads too slowly is moved ahead: it receives `skipped` with what it has not
 *        received, once it has read most of the rest, and reads that itself. Where only text of a
 *        stream was left out, it names the newest change: reading from there answers the text.
 * [CHD5] What waits together is bounded: past it everything is sent at once, and nothing is dropped.
 * [CHD4] A change of members neither brings a session in nor takes one out.
 * [CHD3] Users who may not read the channel any more receive nothing after the order to leave.
 */

import type { ReactionNote } from "../../protocol/actor-ops.ts";
import type { ChannelLeft } from "../../protocol/channels.ts";
import { translationIn } from "../../protocol/contract.ts";
import { type Monotonic, msBetween } from "../../protocol/time.ts";
import type { Frame } from "../../runtime/frames.ts";
import { LazyMap } from "../session/lazy.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import { reactionKey } from "./event-texts.ts";
import { deliverSignal } from "./signal-delivery.ts";
import { Stream } from "./stream.ts";

/** Contract: changes in a second above which they are gathered, and how long at most. */
const GATHER_ABOVE = 50;
const GATHER_MS = 50;
const SECOND_MS = 1_000;
/** Changes that wait together; past it they are sent at once. */
const GATHERED_MAX = 500;

interface Item {
  rev: number;
  /** JSON text of `{event, data}`. */
  text: string;
  event: Frame;
}

interface Skipping {
  /** The first rev that the session has not received. */
  from: number;
  /** Deltas that it has not received. */
  deltas: number;
}

export class ChannelStream extends Stream {
  override readonly isChannel = true;
  /** Changes that came lately, by the time at which they came; the oldest is at `#oldest`. */
  readonly #times: (Monotonic | null)[] = new Array(GATHER_ABOVE).fill(null);
  #oldest = 0;
  #gathered: Frame[] = [];
  #cancelFlush: (() => void) | null = null;
  /** What follows the gathered changes, in order: it leaves after them. */
  #behind: Frame[] = [];
  /** Sessions that are being moved ahead. */
  readonly #skipping = new LazyMap<Session, Skipping>();

  override attach(session: Session, haveRev = 0): void {
    if (this.sessions.has(session)) return;
    session.channels++;
    super.attach(session, haveRev);
    this.host.watched(this);
  }

  override detach(session: Session): void {
    if (!this.sessions.has(session)) return;
    session.channels--;
    this.#skipping.delete(session);
    super.detach(session);
    this.host.watched(this);
  }

  override onEvent(event: Frame): void {
    if (!this.isLive || !this.#gathers(event)) super.onEvent(event);
  }

  override expect(rev: number): void {
    this.#flush();
    super.expect(rev);
  }

  /** [CHD1] Whether the event waits here. */
  #gathers(event: Frame): boolean {
    if (event.rev === 0) {
      if (this.#gathered.length === 0) return false;
      if (event.name === "channel_left") this.#flush();
      if (event.name !== "message_delta" && event.name !== "signal") return false;
      this.#behind.push(event);
      // [CHD5]
      if (this.#behind.length >= GATHERED_MAX) this.#flush();
      return true;
    }
    const last = this.#gathered.at(-1)?.rev ?? this.rev;
    const isMany = this.#isMany();
    if (event.rev !== last + 1 || event.name === "conversation_deleted") {
      this.#flush();
      return false;
    }
    if (!isMany && this.#gathered.length === 0) return false;
    this.#gathered.push(event);
    if (this.#gathered.length >= GATHERED_MAX) this.#flush();
    else this.#cancelFlush ??= this.host.after(GATHER_MS, () => this.#flush());
    return true;
  }

  /** Whether more than GATHER_ABOVE changes came within a second, this one included. */
  #isMany(): boolean {
    const now = this.host.nowMs();
    const before = this.#times[this.#oldest] ?? null;
    this.#times[this.#oldest] = now;
    this.#oldest = (this.#oldest + 1) % GATHER_ABOVE;
    return before !== null && msBetween(before, now) < SECOND_MS;
  }

  #flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = null;
    const events = this.#gathered;
    const behind = this.#behind;
    this.#gathered = [];
    this.#behind = [];
    if (events.length > 0) this.#deliverTogether(events);
    for (const event of behind) super.onEvent(event);
  }

  #deliverTogether(events: Frame[]): void {
    const items = events.map((event) => this.#itemOf(event));
    const [first, last] = [items[0]!.rev, items.at(-1)!.rev];
    const apart = this.#apart(events);
    const all = this.#packetOf(items);
    for (const session of this.sessions) {
      const isApart =
        apart.ids.has(session.id) ||
        apart.sessions.has(session) ||
        this.haveRevOf(session) >= first ||
        this.visibleFrom.has(session.user);
      if (isApart) this.#deliverApart(session, items, apart.acked);
      else this.#offer(session, all, first);
    }
    this.delivered(last);
  }

  /** Sessions that made one of the changes, or have one by their ack. */
  #apart(events: readonly Frame[]) {
    const ids = new Set<string>();
    const sessions = new Set<Session>();
    const acked = new Map<number, ReadonlySet<Session>>();
    for (const { name, rev, except, note } of events) {
      if (name === "reaction" && note !== "") {
        for (const { session } of (JSON.parse(note) as ReactionNote).makers) ids.add(session);
      } else if (except !== "") ids.add(except);
      const those = this.takeAcked(rev);
      if (those.size === 0) continue;
      acked.set(rev, those);
      for (const session of those) sessions.add(session);
    }
    return { ids, sessions, acked };
  }

  /** Its own changes are answered at their places among the others. */
  #deliverApart(
    session: Session,
    items: readonly Item[],
    acked: ReadonlyMap<number, ReadonlySet<Session>>,
  ): void {
    let waiting: Item[] = [];
    const send = () => {
      const [first] = waiting;
      if (first === undefined) return;
      this.#offer(session, this.#packetOf(waiting), first.rev);
      waiting = [];
    };
    for (const item of items) {
      if (item.rev <= this.haveRevOf(session) || acked.get(item.rev)?.has(session)) continue;
      const answer = ownAnswer(this.id, session, item.event);
      if (answer !== null) {
        send();
        this.beforeAck(session, item.rev);
        if (session.answers(answer.key, answer.text)) continue;
      }
      waiting.push(this.hides(session.user, item.event.body) ? this.#hidden(item) : item);
    }
    send();
  }

  #itemOf(event: Frame): Item {
    const { body } = translationIn(this.host.links(event.body));
    return { rev: event.rev, text: `{"event":"${event.name}","data":${body}}`, event };
  }

  #hidden({ rev, event }: Item): Item {
    const data = JSON.stringify({ conversation_id: this.id, rev });
    return { rev, event, text: `{"event":"rev_skipped","data":${data}}` };
  }

  #packetOf(items: readonly Item[]): Packet {
    const texts = items.map(({ text }) => text).join(",");
    return Packet.event("changes", `{"conversation_id":"${this.id}","items":[${texts}]}`);
  }

  protected override put(session: Session, packet: Packet): void {
    this.#offer(session, packet, this.rev);
  }

  /** [CHD2] A packet with the changes from that rev on. */
  #offer(session: Session, packet: Packet, from: number): void {
    if (this.#skipping.has(session) || session.offer(packet)) return;
    this.#skip(session, { from, deltas: 0 });
  }

  /** [CHD2] A delta, which has no rev. */
  #offerDelta(session: Session, packet: Packet): void {
    const skipping = this.#skipping.get(session);
    if (skipping !== undefined) skipping.deltas++;
    else if (!session.offer(packet)) this.#skip(session, { from: this.rev + 1, deltas: 1 });
  }

  #skip(session: Session, skipping: Skipping): void {
    this.#skipping.set(session, skipping);
    session.onceRead(() => this.#moveAhead(session, this.rev));
  }

  #moveAhead(session: Session, to: number): void {
    const skipping = this.#skipping.get(session);
    if (skipping === undefined) return;
    this.#skipping.delete(session);
    const { from, deltas } = skipping;
    const changes = Math.max(0, to - from + 1);
    if (changes > 0) this.host.leftOut("change", changes);
    if (deltas > 0) this.host.leftOut("delta", deltas);
    if (changes + deltas === 0) return;
    const skipped = { conversation_id: this.id, from_rev: Math.min(from, to), to_rev: to };
    session.send(Packet.event("skipped", JSON.stringify(skipped)));
  }

  /** The ack stands for its rev, so that what is skipped ends before it. */
  protected override beforeAck(session: Session, rev: number): void {
    const skipping = this.#skipping.get(session);
    if (skipping === undefined || rev <= skipping.from) return;
    this.#moveAhead(session, rev - 1);
    this.#skip(session, { from: rev + 1, deltas: 0 });
  }

  protected override deliverPassing(event: Frame): void {
    switch (event.name) {
      case "watchers_asked":
        this.host.watched(this);
        return;
      case "channel_left":
        this.#leave(JSON.parse(event.note) as ChannelLeft);
        return;
      case "message_delta":
        this.#deliverDelta(event);
        return;
      case "signal":
        this.#deliverSignal(event);
        return;
      case "occupancy":
        this.fanOut(Packet.event("occupancy", event.body), "", "", `occupancy:${this.id}`);
        return;
      default:
        super.deliverPassing(event);
    }
  }

  #deliverDelta(event: Frame): void {
    const packet = Packet.event(event.name, event.body);
    for (const session of this.sessions) {
      if (session.id === event.except || this.hides(session.user, event.body)) continue;
      this.#offerDelta(session, packet);
    }
  }

  /** A signal comes at most once: sessions that read too slowly go without it. */
  #deliverSignal(event: Frame): void {
    const quick: Session[] = [];
    for (const session of this.sessions) {
      if (!this.#skipping.has(session) && session.keepsUp) quick.push(session);
    }
    const left = this.sessions.size - quick.length;
    if (left > 0) this.host.leftOut("signal", left);
    deliverSignal(this.id, quick, event);
  }

  /** [CHD3] */
  #leave({ user_ids }: ChannelLeft): void {
    const gone = new Set<string>(user_ids);
    for (const session of [...this.sessions]) {
      if (gone.has(session.user)) this.detach(session);
    }
    for (const user of gone) this.visibleFrom.delete(user);
  }

  protected override deliverConversation(packet: Packet, body: string): void {
    this.fanOutDurable(packet, new Set(), "", "", body);
  }
}

/** What would answer the session's own change with this event; null: it is another's. */
function ownAnswer(
  id: string,
  session: Session,
  { name, rev, except, body, note }: Frame,
): { key: string; text: string } | null {
  if (name !== "reaction") {
    return session.id === except ? { key: `${id} ${note}`, text: body } : null;
  }
  if (note === "") return null;
  const { makers, reactions } = JSON.parse(note) as ReactionNote;
  const own = makers.find((maker) => maker.session === session.id);
  if (own === undefined) return null;
  const text = JSON.stringify({ rev, reactions, own: own.own });
  return { key: reactionKey(id, own.ask), text };
}
