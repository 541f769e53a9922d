/**
 * All conversation streams of one edge: opens them, repairs them, and closes them when no local
 * session uses them any more.
 *
 * [STS1] A stream subscribes first (confirmed), then reads the conversation's rev, then applies the
 *        events that came meanwhile.
 * [STS2] A session that enters with a rev receives everything after it, once and in order.
 * [STS3] When the actor's owner changes, typing ends here: nobody else would announce its end.
 * [STS4] When the owner died, or a former owner that may still have been at work, it may have
 *        committed changes without publishing them. They are looked for at once, and again when a
 *        statement that was still under way must have ended.
 * [STS7] A gap between hosts concerns only the conversations whose events may have been lost.
 * [STS6] A repaired change carries its own rev, because the rev is the client's cursor.
 * [STS5] Receipts of any publisher are kept: the newest cursors are the right ones.
 * [LIV1] At most `liveMax` conversations are live in a session. When one more enters, the one in
 *        which the user was active least recently leaves. The session is partial from then on, and
 *        Activity sends it changes of the others. A conversation to which somebody else adds the
 *        user enters only where there is room.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Tally } from "../../base/metrics.ts";
import type { Queries } from "../../ports/edge.ts";
import type { OpenedThread } from "../../ports/threads.ts";
import { type Doubt, doubtedOf } from "../../protocol/doubt.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { LIVE_THREADS_MAX } from "../../protocol/session-bounds.ts";
import { topicOf } from "../../protocol/topics.ts";
import type { Frame } from "../../runtime/frames.ts";
import { ShardIndex } from "../../runtime/shard-index.ts";
import { Slices } from "../../runtime/slices.ts";
import type { Placement } from "../../runtime/view.ts";
import type { AttachedStream, Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import { CatchUp } from "./catch-up.ts";
import { ChannelStream } from "./channel-stream.ts";
import { FormerOwners } from "./former-owners.ts";
import { OWNER_DIED_MS } from "./lost-receipts.ts";
import { NumberAudit } from "./number-audit.ts";
import { isOutdated } from "./outdated.ts";
import { ACK_HOLD_MS, Stream } from "./stream.ts";
import type { Release, StreamOwner } from "./stream-owner.ts";
import { typingEnded } from "./stream-packets.ts";
import type { TopicSubscriptions } from "./subscriptions.ts";

/** With the longest messages a page has 1.6 MB, too little to make a session look like a slow reader. */
const REPAIR_PAGE = 100;
const RETRY_MS = 500;
/** A statement of a worker that died may still commit: look once more after this. */
export const SECOND_LOOK_MS = 2_000;

export interface StreamsOptions {
  clock: Clock;
  log: Log;
  queries: Pick<
    Queries,
    "revs" | "visibleFrom" | "changes" | "conversation" | "threadReaders" | "channelReaders"
  >;
  interests: TopicSubscriptions;
  /** Counts what slow sessions did not receive, by what it was. */
  leftOut?: Tally;
  sessionsOf(user: UserId): Iterable<Session>;
  /** Writes the addresses of files into a message's text. */
  links(text: string): string;
  /** Conversations that may be live in one session, and threads beside them. */
  liveMax: number;
  liveThreadsMax?: number;
  /** The conversation, of which the session has everything up to `rev`, is not live in it. */
  onNotLive(session: Session, id: ConversationId, rev: number): void;
  /** How many sessions watch a channel has changed, or its actor asks for it. */
  onWatched?(stream: Stream): void;
  /** A user who may receive threads has left a conversation. */
  onLeft(user: UserId): void;
  /** Receipts of these may be lost, of the last `ageMs`. */
  onLostReceipts(ids: readonly ConversationId[], ageMs: number): void;
}

export class Streams {
  readonly #options: StreamsOptions;
  readonly #streams = new Map<ConversationId, Stream>();
  readonly #byShard = new ShardIndex<Stream>(({ id }) => `conversation:${id}`);
  /** Streams in which somebody may be typing. */
  readonly #typing = new Set<Stream>();
  readonly #slices: Slices;
  readonly all = (): Iterable<Stream> => this.#streams.values();
  readonly #audit: NumberAudit<ConversationId>;
  #placement: Placement | null = null;
  readonly #formerOwners: FormerOwners;
  readonly #host: StreamOwner<Stream>;
  #isClosed = false;

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#formerOwners = new FormerOwners(options.clock);
    this.#slices = new Slices(options.clock);
    this.#host = this.#hostOfStreams();
    this.#audit = new NumberAudit({
      clock: options.clock,
      read: (ids: ConversationId[]) => options.queries.revs(ids),
      found: (id, rev) => this.#streams.get(id)?.expect(rev),
    });
  }

  get(id: ConversationId): Stream | undefined {
    return this.#streams.get(id);
  }

  /**
   * Adds a new session to the streams of its conversations, each from the `rev` at which storage
   * read it; a change of members since then is delivered like any other change. Resolves when the
   * session can miss no event that is published from now on; events since that reading may arrive
   * later. Reads that fail because storage is unreachable are retried until they succeed.
   * `known` begins with the most recent of the user's own activity and has at most `liveMax` entries.
   */
  async attach(
    session: Session,
    known: ReadonlyMap<ConversationId, number>,
    threads: readonly OpenedThread[] = [],
  ): Promise<void> {
    const waits: Promise<void>[] = [];
    const parents = new Map(threads.map(({ id, parent }) => [id, parent]));
    const all = [...known, ...threads.map(({ id, rev }) => [id, rev] as const)];
    for (const [id, rev] of all.reverse()) {
      const isMade = !this.#streams.has(id);
      const wait = this.enter(session, id, rev, parents.get(id) ?? null);
      if (wait === null) continue;
      const confirmed = this.#options.interests.confirmed(topicOf.conversation(id));
      waits.push(isMade ? confirmed.catch(() => wait) : wait);
    }
    await Promise.all(waits);
  }

  onEvent(id: ConversationId, event: Frame, placement: Placement): void {
    this.#placement = placement;
    this.#streams.get(id)?.onEvent(event);
  }

  /**
   * The sessions' user became a member at `rev`; `body` is the conversation as it was then. The
   * sessions receive it and everything after it.
   */
  joined(sessions: Iterable<Session>, id: ConversationId, rev: number, body: string): void {
    const packet = Packet.event("conversation_updated", body);
    for (const session of sessions) {
      if (!session.wantsStream(id)) continue;
      session.send(packet);
      if (this.hasRoom(session, null)) void this.enter(session, id, rev);
      else this.#isNotLive(session, id, rev);
    }
  }

  /** Where a session has no room for what its user has become a member of. */
  notLive(session: Session, id: ConversationId, rev: number): void {
    this.#isNotLive(session, id, rev);
  }

  /** The streams of conversations in these shards, and some others; null: all. */
  ofShards(shards: Uint16Array | null): Stream[] {
    return this.#byShard.of(shards);
  }

  /** [LIV1] `parent`: of a thread. */
  hasRoom(session: Session, parent: ConversationId | null): boolean {
    const { liveMax, liveThreadsMax = LIVE_THREADS_MAX } = this.#options;
    if (parent !== null) return session.threads < liveThreadsMax;
    return session.streams.size - session.threads - session.channels < liveMax;
  }

  #isCrowded(session: Session, parent: ConversationId | null): boolean {
    const { liveMax, liveThreadsMax = LIVE_THREADS_MAX } = this.#options;
    if (parent !== null) return session.threads > liveThreadsMax;
    return session.streams.size - session.threads - session.channels > liveMax;
  }

  /** Whether the session receives the conversation's events, or is about to. */
  isFollowed(session: Session, id: ConversationId): boolean {
    return session.entering.has(id) || this.#streams.get(id)?.sessions.has(session) === true;
  }

  /** The session's user was active in the conversation; whether it is live there. */
  movesUp(session: Session, id: ConversationId): boolean {
    const stream = this.#streams.get(id);
    if (stream?.sessions.has(session) !== true) return session.entering.has(id);
    session.movesUp(stream);
    return true;
  }

  /**
   * The session has every change up to `rev` and receives everything after it. Null: it has entered;
   * else resolves when it has, and never rejects.
   */
  enter(
    session: Session,
    id: ConversationId,
    rev: number,
    parent: ConversationId | null = null,
    isChannel = false,
  ): Promise<void> | null {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      const made = this.#make(id, rev, parent, isChannel);
      made.attach(session);
      this.#passAnswered(session, made, rev);
      return made.opened;
    }
    if (stream.sessions.has(session)) return null;
    const underWay = session.entering.get(id);
    if (underWay !== undefined) return underWay;
    if (!stream.isOpening && stream.rev <= rev) {
      stream.attach(session, rev);
      this.#passAnswered(session, stream, rev);
      return null;
    }
    const way = stream.isOpening
      ? this.#enterLater(session, stream, rev)
      : this.#catchUp(session, stream, rev);
    session.entering.set(id, way);
    return way;
  }

  /** [STM2] A session that is still entering receives the events before its ack first, too. */
  ack(session: Session, id: ConversationId, rev: number, release: Release): void {
    const entering = session.entering.get(id);
    if (entering === undefined) {
      const stream = this.#streams.get(id);
      if (stream?.sessions.has(session)) stream.ack(session, rev, release);
      // A user who sends into a thread is about to follow it.
      else if (release() && (session.isPartial || session.contract !== "1")) {
        session.wasAnswered(id, rev);
      }
      return;
    }
    let isHeld = true;
    const noLonger = () => {
      cancel();
      if (isHeld) this.ack(session, id, rev, release);
      isHeld = false;
    };
    const cancel = this.#options.clock.after(ACK_HOLD_MS, () => {
      isHeld = false;
      release();
    });
    void entering.then(noLonger);
  }

  onView(now: Placement, before: Placement): void {
    this.#placement = now;
    this.#formerOwners.ended(before);
    for (const stream of this.#typing) {
      stream.endTyping(now.ownerOf(`conversation:${stream.id}`));
      if (stream.typing.size === 0) this.#typing.delete(stream);
    }
    const gone = now.goneSince(before);
    if (gone.size === 0) return;
    const orphaned: ConversationId[] = [];
    const { shards, isOrphan } = this.#formerOwners.orphansOf(gone, before);
    const look = ({ id }: Stream) => {
      if (isOrphan(`conversation:${id}`)) orphaned.push(id);
    };
    this.#slices.walk(this.ofShards(shards), look, () => this.#orphaned(orphaned));
  }

  /** [STS4] */
  #orphaned(orphaned: ConversationId[]): void {
    if (orphaned.length === 0) return;
    this.#audit.look(orphaned);
    this.#options.clock.after(SECOND_LOOK_MS, () => {
      this.#audit.look(orphaned);
      this.#lostReceipts(orphaned, OWNER_DIED_MS);
    });
  }

  /** [STS7] The streams whose events may be missing read what they missed. */
  onDoubt(doubt: Doubt): void {
    const doubted = doubtedOf("conversation", doubt) ?? [...this.#streams.keys()];
    const ids = doubted.filter((id) => this.#streams.has(id));
    this.#audit.look(ids);
    this.#lostReceipts(ids, doubt.ageMs);
  }

  /** A channel has no receipts. */
  #lostReceipts(ids: readonly ConversationId[], ageMs: number): void {
    const others = ids.filter((id) => this.#streams.get(id)?.isChannel !== true);
    if (others.length > 0) this.#options.onLostReceipts(others, ageMs);
  }

  dropped(id: ConversationId): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#streams.delete(id);
    this.#byShard.delete(stream);
    this.#typing.delete(stream);
  }

  close(): void {
    this.#isClosed = true;
    this.#slices.close();
    this.#audit.close();
  }

  /** [STM2] The session, which enters at `rev`, has own changes after that by their answers. */
  #passAnswered(session: Session, stream: Stream, rev: number): void {
    for (const answered of session.answeredAfter(stream.id, rev))
      stream.answered(session, answered);
    session.forgetAnswered(stream.id, Number.POSITIVE_INFINITY);
  }

  #make(
    id: ConversationId,
    fromRev: number,
    parent: ConversationId | null,
    isChannel: boolean,
  ): Stream {
    const stream = isChannel
      ? new ChannelStream(id, this.#host)
      : new Stream(id, this.#host, parent);
    this.#streams.set(id, stream);
    this.#byShard.add(stream);
    void this.#open(stream, fromRev);
    return stream;
  }

  /** All streams share one owner. */
  #hostOfStreams(): StreamOwner<Stream> {
    const { clock, interests, sessionsOf, links } = this.#options;
    return {
      occupied: (which, isOccupied) => {
        if (isOccupied) interests.want(which.topic).catch(() => undefined);
        else interests.release(which.topic);
      },
      entered: (session, which) => this.#makeRoom(session, which),
      // A partial session may have missed earlier changes, and the stream would not read them for it.
      hasRoom: (session) => !session.isPartial && this.hasRoom(session, null),
      left: (user) => this.#options.onLeft(user),
      watched: (which) => this.#options.onWatched?.(which),
      types: (which) => void this.#typing.add(which),
      leftOut: (what, count) => this.#options.leftOut?.add(what, "", count),
      nowMs: () => clock.monotonicMs(),
      catchUp: (session, which, rev) =>
        void this.enter(session, which.id, rev, which.parent, which.isChannel),
      repair: (which) => void this.#repair(which),
      sessionsOf,
      links,
      isOutdated: (event, actor) =>
        this.#placement !== null &&
        (isOutdated(event, actor, this.#placement) ||
          this.#formerOwners.hasMovedSince(event.view, event.from, actor)),
      after: (delayMs, ring) => clock.after(delayMs, ring),
    };
  }

  /**
   * [LIV1] Ends the session's oldest streams beyond the limit. A stream that is not live yet is kept
   * until it is, because the session has not received all of its changes.
   */
  #makeRoom(session: Session, entered: Stream): void {
    if (entered.isChannel) return;
    for (const { id, parent, isLive, isChannel } of session.streams) {
      if (isChannel) continue;
      if (!this.#isCrowded(session, entered.parent)) return;
      const stream = this.#streams.get(id);
      if (stream === undefined || stream === entered || !isLive) continue;
      if ((parent === null) !== (entered.parent === null)) continue;
      stream.detach(session);
      this.#isNotLive(session, id, stream.rev);
      // The session would not receive that they stopped.
      for (const user of stream.typing.keys()) {
        if (user !== session.user) session.send(typingEnded(id, user));
      }
    }
  }

  /** [LIV1] The stream has caught up: it may have to leave sessions, or others may. */
  #makeRooms(stream: Stream): void {
    if (stream.isChannel) return;
    for (const session of stream.sessions) {
      if (!this.#isCrowded(session, stream.parent)) continue;
      const isAlike = (other: AttachedStream) =>
        (other.parent === null) === (stream.parent === null) && !other.isChannel;
      const newest = [...session.streams].filter(isAlike).at(-1);
      const entered = newest === undefined ? undefined : this.#streams.get(newest.id);
      this.#makeRoom(session, entered ?? stream);
    }
  }

  #isNotLive(session: Session, id: ConversationId, rev: number): void {
    session.isPartial = true;
    this.#options.onNotLive(session, id, rev);
  }

  /** Subscribe first (confirmed), then read, then apply what came meanwhile. */
  async #open(stream: Stream, fromRev: number): Promise<void> {
    const { interests, queries, clock, log } = this.#options;
    while (!this.#isClosed && this.#streams.get(stream.id) === stream) {
      try {
        await interests.want(stream.topic);
        const [revs, visible] = await Promise.all([
          queries.revs([stream.id]),
          // Each join of a channel says it of the user who joins.
          stream.isChannel ? [] : queries.visibleFrom(stream.id),
        ]);
        const rev = revs.get(stream.id);
        for (const [user, seq] of visible) stream.visibleFrom.set(user, seq);
        stream.open(fromRev, rev !== fromRev);
        this.#makeRooms(stream);
        return;
      } catch (error) {
        log.warn({ event: "stream_waits", conversation: stream.id, err: error });
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      } finally {
        interests.release(stream.topic);
      }
    }
  }

  /** Where the stream will begin is not known yet. */
  async #enterLater(session: Session, stream: Stream, rev: number): Promise<void> {
    await stream.opened;
    session.entering.delete(stream.id);
    if (session.wantsStream(stream.id)) {
      await this.enter(session, stream.id, rev, stream.parent, stream.isChannel);
    }
  }

  /** Brings one session from `rev` to where the stream is, and adds it there. Never rejects. */
  async #catchUp(session: Session, stream: Stream, rev: number): Promise<void> {
    const { clock, log, queries } = this.#options;
    const { id } = stream;
    const told = new CatchUp(session, stream, this.#options.links);
    let orUnreachable = rev;
    while (orUnreachable < stream.rev && !session.isEnded && !session.left.has(id)) {
      if (this.#isClosed) return;
      const target = stream.rev;
      try {
        const read = await queries.changes(id, orUnreachable, REPAIR_PAGE);
        const { changes, hasMore, forgotten } = read;
        if (told.needsConversation(read)) {
          told.conversation = await queries.conversation(session.user, id);
        }
        if (forgotten !== null) told.ofRemoval(forgotten);
        for (const change of changes) {
          if (change.rev > stream.rev) break;
          told.of(change);
          orUnreachable = change.rev;
        }
        // The remaining changes up to `target` were replaced by later ones, and storage has
        // forgotten them.
        if (!hasMore) orUnreachable = Math.max(orUnreachable, target);
      } catch (error) {
        log.warn({ event: "catch_up_waits", conversation: id, err: error });
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
    session.entering.delete(id);
    if (!told.isMember || !session.wantsStream(id)) return;
    if (this.#streams.get(id) === stream) {
      stream.attach(session);
      this.#passAnswered(session, stream, stream.rev);
    }
    // Nobody else listened meanwhile, and it was let go.
    else await this.enter(session, id, orUnreachable, stream.parent, stream.isChannel);
  }

  async #repair(stream: Stream): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#isClosed) {
      try {
        const read = await this.#options.queries.changes(stream.id, stream.rev, REPAIR_PAGE);
        await this.#leaveUnread(stream);
        stream.repaired(read);
        if (!read.hasMore) break;
      } catch (error) {
        log.warn({ event: "repair_waits", conversation: stream.id, err: error });
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
    stream.repairDone();
    this.#makeRooms(stream);
  }

  /**
   * Membership of the parent decides about a thread, as that of a channel about it, and the order to leave may come later than what
   * is read again: a user who has left receives nothing of it.
   */
  async #leaveUnread(stream: Stream): Promise<void> {
    if (stream.parent === null && !stream.isChannel) return;
    const { queries } = this.#options;
    const users = [...new Set([...stream.sessions].map(({ user }) => user))];
    const readers = new Set(
      stream.isChannel
        ? await queries.channelReaders(stream.id, users)
        : await queries.threadReaders(stream.id, users),
    );
    for (const session of [...stream.sessions]) {
      if (!readers.has(session.user)) stream.detach(session);
    }
  }
}
