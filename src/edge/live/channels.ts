/**
 * The channels of the users who have sessions on this edge: which of them the sessions hear of
 * without watching, who watches, and who has come or gone.
 *
 * The edge keeps in which channels each user is a member and their own point in each, from the
 * reading with which a session begins. So one letter of a channel's actor to each edge tells all
 * of its members' sessions there, and no member is looked up.
 *
 * [CHA1] Sessions that do not watch a channel receive `conversation_activity` of it, at most one
 *        every 5 s, each with the user's own count of what is unread.
 * [CHA2] A user's sessions receive that they have come, gone or changed, and nobody else's do.
 * [CHA3] The channel's actor knows how many sessions of each edge watch: a change is announced within
 *        WATCHERS_EVERY_MS, all again to a new place of the actor, and when it asks.
 * [CHA4] After a gap, and where an actor died, storage is asked where the channels stand.
 * [CHA5] An order to leave may come before the session has entered: storage is asked who may read,
 *        after each entry.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Queries } from "../../ports/edge.ts";
import type { UserOrders } from "../../protocol/actor-ops.ts";
import type { ChannelActivity } from "../../protocol/channels.ts";
import { type Doubt, doubtedOf } from "../../protocol/doubt.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Prefs } from "../../protocol/prefs.ts";
import { type Activity, asConversationId, type Conversation } from "../../protocol/schemas.ts";
import { ACTIVITY_EVERY_MS } from "../../protocol/session-bounds.ts";
import { type Monotonic, msBetween } from "../../protocol/time.ts";
import { topicOf } from "../../protocol/topics.ts";
import { type OwnMarks, ownUnread } from "../../protocol/unread.ts";
import type { Frame } from "../../runtime/frames.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import type { Placement } from "../../runtime/view.ts";
import { LazyMap } from "../session/lazy.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import type { Streams } from "./conversation-streams.ts";
import { NumberAudit } from "./number-audit.ts";
import type { Stream } from "./stream.ts";
import { durablePacket } from "./stream-packets.ts";
import type { TopicSubscriptions } from "./subscriptions.ts";

const WATCHERS_EVERY_MS = 500;
const RETRY_MS = 500;

export interface ChannelsOptions {
  incarnation: string;
  clock: Clock;
  log: Log;
  gateway: Pick<Gateway, "tell">;
  queries: Pick<
    Queries,
    "channelReaders" | "channelActivity" | "revs" | "standing" | "conversation"
  >;
  streams: Streams;
  interests: TopicSubscriptions;
  sessionsOf(user: UserId): Iterable<Session>;
  links(text: string): string;
}

/** A channel of which members have sessions here. */
interface Known {
  /** Their own point in it. */
  readonly members: Map<UserId, OwnMarks>;
  at: ChannelActivity;
  /** When activity was sent; null: never. */
  sentAt: Monotonic | null;
  /** The rev of which it was sent last. */
  sentRev: number;
  cancelNext: (() => void) | null;
  /** Sessions that have the channel up to a later rev than `sentRev`, until activity is sent. */
  readonly ahead: LazyMap<Session, number>;
}

export class Channels {
  readonly #options: ChannelsOptions;
  readonly #known = new Map<ConversationId, Known>();
  readonly #ofUser = new Map<UserId, Set<ConversationId>>();
  readonly #audit: NumberAudit<ConversationId>;
  /** Channels whose number of watching sessions has to be announced. */
  readonly #counts = new Set<Stream>();
  #cancelCounts: (() => void) | null = null;
  #isClosed = false;

  constructor(options: ChannelsOptions) {
    this.#options = options;
    this.#audit = new NumberAudit({
      clock: options.clock,
      read: (ids: ConversationId[]) => options.queries.revs(ids),
      found: (id, rev) => {
        if (rev > (this.#known.get(id)?.at.rev ?? rev)) void this.#readActivity(id);
      },
    });
  }

  /** A session has begun, with its user's channels; resolves when no activity can be missed. */
  async opened(session: Session, channels: readonly Activity[]): Promise<void> {
    for (const { conversation_id, rev } of channels) {
      this.has(session, asConversationId(conversation_id), rev);
    }
    await this.#take(session.user, channels);
  }

  /** The session has the channel up to `rev`, and watches it no more or not yet. */
  has(session: Session, id: ConversationId, rev: number): void {
    const known = this.#known.get(id);
    if (known !== undefined && rev > known.sentRev) known.ahead.set(session, rev);
  }

  async #take(user: UserId, channels: readonly Activity[]): Promise<void> {
    const waits: Promise<void>[] = [];
    for (const { conversation_id, rev, last_seq, ...own } of channels) {
      const id = asConversationId(conversation_id);
      waits.push(this.#add(user, id, { rev, last_seq, ...countsIn(own) }, marksIn(own)));
    }
    await Promise.all(waits);
  }

  /** The user's last session here is over. */
  closed(user: UserId): void {
    for (const id of this.#ofUser.get(user) ?? []) this.#remove(user, id);
  }

  /** An event of a channel's topic of activity. */
  onActivity(id: ConversationId, event: Frame): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    if (event.name === "conversation_deleted") {
      this.#deleted(id, known, event);
      return;
    }
    this.#moved(id, known, JSON.parse(event.body) as ChannelActivity);
  }

  /** [CHA2] */
  onMembership(user: UserId, order: UserOrders["channel_membership"]): void {
    const { conversation, is, may_read, is_published } = order;
    const id = asConversationId(conversation.id);
    const packet = Packet.event("conversation_updated", JSON.stringify(conversation));
    if (is === "left") this.#remove(user, id);
    else if (is === "joined") {
      const own = conversation.members.find(({ user_id }) => user_id === user);
      const { rev, last_seq } = conversation;
      const read_seq = own?.read_seq ?? 0;
      void this.#add(user, id, { rev, last_seq, ...countsIn(conversation) }, { read_seq });
      // History that was before the user has a count of its own.
      if (read_seq > 0) this.#refresh(user, id);
    }
    const stream = this.#options.streams.get(id);
    for (const session of this.#options.sessionsOf(user)) {
      if (session.contract === "1") continue;
      const watches = stream?.sessions.has(session) === true;
      if (!(watches && is_published === true)) session.send(packet);
      if (!may_read) stream?.detach(session);
    }
  }

  /** The user's own point has moved. */
  onRead(user: UserId, { conversation_id, own }: UserOrders["channel_read"]): void {
    const members = this.#known.get(conversation_id)?.members;
    const before = members?.get(user);
    if (before !== undefined && own.read_seq >= before.read_seq) {
      members?.set(user, { ...before, ...own });
    }
  }

  /** The user's preferences changed, which in a channel may have moved their point. */
  onPrefs(user: UserId, prefs: string): void {
    this.#refresh(user, asConversationId((JSON.parse(prefs) as Prefs).conversation_id));
  }

  #refresh(user: UserId, id: ConversationId): void {
    const members = this.#known.get(id)?.members;
    if (members?.has(user) !== true) return;
    this.#options.queries.standing(user, id).then(
      (standing) => {
        if (standing !== null && members.has(user)) members.set(user, marksIn(standing));
      },
      (err: unknown) => this.#options.log.warn({ event: "channel_unread", err }),
    );
  }

  /** The user's channels as storage has them, after orders may have been missed. */
  async compare(user: UserId, channels: readonly Activity[]): Promise<void> {
    const now = new Set(channels.map(({ conversation_id }) => conversation_id));
    const before = [...(this.#ofUser.get(user) ?? [])];
    const missing = before.filter((id) => !now.has(id));
    const added = channels.filter(
      ({ conversation_id }) => !before.includes(asConversationId(conversation_id)),
    );
    await this.#take(user, channels);
    for (const { conversation_id } of added) {
      const id = asConversationId(conversation_id);
      const conversation = await this.#options.queries.conversation(user, id);
      if (conversation !== null) {
        this.onMembership(user, { conversation, is: "joined", may_read: true });
      }
    }
    for (const id of missing) {
      const conversation = await this.#options.queries.conversation(user, id);
      const isMember = conversation?.members.some(({ user_id }) => user_id === user);
      // A user of very many channels has others that are not among these.
      if (isMember !== true) this.#lost(user, id, conversation);
    }
    for (const session of this.#options.sessionsOf(user)) {
      const watched = [...session.streams].filter(({ isChannel }) => isChannel);
      for (const { id } of watched) this.entered(session, id);
    }
  }

  /** [CHA5] */
  entered(session: Session, id: ConversationId): void {
    void this.#leaveUnreadable(session, id);
  }

  /** [CHA3] */
  watched(stream: Stream): void {
    if (!stream.isChannel || this.#isClosed) return;
    this.#counts.add(stream);
    this.#cancelCounts ??= this.#options.clock.after(WATCHERS_EVERY_MS, () => this.#tellCounts());
  }

  onView(now: Placement, before: Placement): void {
    for (const stream of this.#options.streams.ofShards(now.movedSince(before))) {
      const key = `conversation:${stream.id}`;
      if (stream.isChannel && now.ownerOf(key) !== before.ownerOf(key)) this.watched(stream);
    }
    const died = now.diedSince(before);
    if (died.size === 0) return;
    // [FOW4]
    const wasAlone = [...died].some((incarnation) => before.isAway(incarnation));
    const ids = [...this.#known.keys()].filter(
      (id) => wasAlone || died.has(before.ownerOf(`conversation:${id}`) ?? ""),
    );
    this.#audit.look(ids);
  }

  /** The local users who are members of these channels. */
  usersOf(isMeant: (id: ConversationId) => boolean): UserId[] {
    return [...this.#known].flatMap(([id, { members }]) =>
      isMeant(id) ? [...members.keys()] : [],
    );
  }

  onGap(): void {
    for (const stream of this.#options.streams.all()) this.watched(stream);
  }

  /** [CHA4] */
  onDoubt(doubt: Doubt): void {
    const ids = doubtedOf("channel", doubt) ?? [...this.#known.keys()];
    this.#audit.look(ids.filter((id) => this.#known.has(id)));
  }

  close(): void {
    this.#isClosed = true;
    this.#audit.close();
    this.#cancelCounts?.();
    for (const { cancelNext } of this.#known.values()) cancelNext?.();
  }

  #add(user: UserId, id: ConversationId, at: ChannelActivity, own: OwnMarks): Promise<void> {
    let known = this.#known.get(id);
    if (known === undefined) {
      known = {
        members: new Map(),
        at,
        sentAt: null,
        sentRev: at.rev,
        cancelNext: null,
        ahead: new LazyMap(),
      };
      this.#known.set(id, known);
    } else this.#moved(id, known, at);
    const isNew = !known.members.has(user);
    known.members.set(user, own);
    const { interests } = this.#options;
    if (!isNew) return interests.confirmed(topicOf.channel(id));
    const channels = this.#ofUser.get(user);
    if (channels === undefined) this.#ofUser.set(user, new Set([id]));
    else channels.add(id);
    return interests.want(topicOf.channel(id));
  }

  #remove(user: UserId, id: ConversationId): void {
    const known = this.#known.get(id);
    if (known?.members.delete(user) !== true) return;
    const channels = this.#ofUser.get(user);
    channels?.delete(id);
    if (channels?.size === 0) this.#ofUser.delete(user);
    this.#options.interests.release(topicOf.channel(id));
    if (known.members.size > 0) return;
    known.cancelNext?.();
    this.#known.delete(id);
  }

  #lost(user: UserId, id: ConversationId, open: Conversation | null): void {
    if (open !== null) {
      const conversation = { ...open, removed_user_ids: [user] };
      this.onMembership(user, { conversation, is: "left", may_read: true });
      return;
    }
    this.#remove(user, id);
    const stream = this.#options.streams.get(id);
    for (const session of this.#options.sessionsOf(user)) stream?.detach(session);
  }

  #moved(id: ConversationId, known: Known, at: ChannelActivity): void {
    if (at.rev <= known.at.rev) return;
    known.at = at;
    this.#send(id, known);
  }

  /** [CHA1] */
  #send(id: ConversationId, known: Known): void {
    if (known.cancelNext !== null || known.sentRev >= known.at.rev) return;
    const { clock, streams, sessionsOf } = this.#options;
    const now = clock.monotonicMs();
    const leftMs = known.sentAt === null ? 0 : ACTIVITY_EVERY_MS - msBetween(known.sentAt, now);
    if (leftMs > 0) {
      known.cancelNext = clock.after(leftMs, () => {
        known.cancelNext = null;
        this.#send(id, known);
      });
      return;
    }
    known.sentRev = known.at.rev;
    const { rev, last_seq, ...counts } = known.at;
    const { ahead } = known;
    const watching = streams.get(id)?.sessions;
    for (const [user, marks] of known.members) {
      let packet: Packet | null = null;
      for (const session of sessionsOf(user)) {
        if (session.contract === "1" || watching?.has(session) === true) continue;
        if ((ahead.get(session) ?? 0) >= rev) continue;
        const own = ownUnread({ last_seq, ...counts }, marks);
        packet ??= Packet.event(
          "conversation_activity",
          JSON.stringify({ conversation_id: id, last_seq, rev, ...counts, ...own }),
        );
        session.send(packet, `conversation_activity:${id}`);
        known.sentAt = now;
      }
    }
    ahead.clear();
  }

  /** Sessions that watch receive it by the stream. */
  #deleted(id: ConversationId, known: Known, { name, body }: Frame): void {
    const packet = durablePacket(name, body, this.#options.links);
    const watching = this.#options.streams.get(id)?.sessions;
    for (const user of [...known.members.keys()]) {
      for (const session of this.#options.sessionsOf(user)) {
        if (session.contract !== "1" && watching?.has(session) !== true) session.send(packet);
      }
      this.#remove(user, id);
    }
  }

  async #readActivity(id: ConversationId): Promise<void> {
    try {
      const at = (await this.#options.queries.channelActivity([id])).get(id);
      const known = this.#known.get(id);
      if (at !== undefined && known !== undefined) this.#moved(id, known, at);
    } catch (err) {
      this.#options.log.warn({ event: "channel_unread", err });
      this.#audit.look([id]);
    }
  }

  #tellCounts(): void {
    this.#cancelCounts = null;
    const { gateway, incarnation } = this.#options;
    for (const { id, sessions } of this.#counts) {
      gateway.tell("conversation", id, "watching", {
        worker: incarnation,
        sessions: sessions.size,
      });
    }
    this.#counts.clear();
  }

  async #leaveUnreadable(session: Session, id: ConversationId): Promise<void> {
    const { clock, log, queries, streams } = this.#options;
    while (!this.#isClosed && !session.isEnded) {
      try {
        const readers = await queries.channelReaders(id, [session.user]);
        if (readers.length > 0) return;
        await session.entering.get(id);
        streams.get(id)?.detach(session);
        return;
      } catch (err) {
        log.warn({ event: "channel_unread", err });
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
  }
}

function countsIn({ last_n, first_n }: { last_n?: number; first_n?: number }) {
  return {
    ...(last_n !== undefined && { last_n }),
    ...(first_n !== undefined && { first_n }),
  };
}

function marksIn({ read_seq, read_n, cleared_n, unread_from_n }: OwnMarks): OwnMarks {
  return {
    read_seq,
    ...(read_n !== undefined && { read_n }),
    ...(cleared_n !== undefined && { cleared_n }),
    ...(unread_from_n !== undefined && { unread_from_n }),
  };
}
