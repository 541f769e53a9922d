/**
 * One session: a connected socket of a user, as its edge knows it.
 *
 * Phases: `opening` (authenticated; its streams are being opened and their events are held) →
 * `live` (after `ready`) → `ended` (the end was announced; closing or closed; nothing is sent).
 */

import type { SessionStatus } from "../../protocol/actor-ops.ts";
import type { ContractVersion } from "../../protocol/contract.ts";
import type { EndCode, ServerPayload } from "../../protocol/events.ts";
import type { ConversationId, FamilyId, PostId, SessionId, UserId } from "../../protocol/ids.ts";
import type { Message, PresenceStatus } from "../../protocol/schemas.ts";
import { BEFORE_ALL, type Monotonic, type WallTime, wallTime } from "../../protocol/time.ts";
import type { Identity } from "../auth/identity.ts";
import type { Connection } from "../transport/connection.ts";
import { Packet } from "../transport/packet.ts";
import type { WriteBatcher } from "../transport/write-batcher.ts";
import { LazyMap, LazySet } from "./lazy.ts";
import { SendQueue } from "./send-queue.ts";
import type { SessionLimits } from "./session-limits.ts";

/** Packets held for an opening session; past this the session is given up. */
const HELD_MAX = 5_000;
/** Changes of a user in the few seconds before a conversation is live; past it, the oldest comes as its event, too. */
const ANSWERED_REVS_MAX = 100;

interface Held {
  packet: Packet;
  latestKey: string | null;
  order: string | null;
}

type Phase = { is: "opening"; held: Held[] } | { is: "live" } | { is: "ended" };

/** A conversation's stream, as the session it feeds sees it; see stream.ts. */
export interface AttachedStream {
  readonly id: ConversationId;
  /** The conversation in which a thread has its root; null: it is no thread. */
  readonly parent: ConversationId | null;
  readonly isChannel: boolean;
  /** Whether the session has received every change of the conversation up to now. */
  readonly isLive: boolean;
  detach(session: Session): void;
}

/** A user whose presence comes to these sessions; see watches.ts. */
export interface Watch {
  user: UserId;
  sessions: Set<Session>;
  /** Null: no status is known yet. */
  status: PresenceStatus | null;
  /** Grows with every event of this status, so that an answer shows whether one overtook it. */
  heardCount: number;
  /** Grows with every status that was sent to the sessions. */
  toldCount: number;
  /** Whether the user hides anything from anybody; null: not known yet. */
  isReserved: boolean | null;
  /** Whether each session's user saw it when that was judged last; null: nobody was judged. */
  judged: Map<Session, boolean> | null;
}

/** A post whose counts come to these sessions; see post-watches.ts. */
export interface PostWatch {
  post: PostId;
  author: UserId;
  sessions: Set<Session>;
}

/** One of the application's actors whose events come to these sessions; see actor-watches.ts. */
export interface ActorWatch {
  /** Kind and key. */
  readonly id: string;
}

/** A change of a message that a session asked for; its event is as good as its answer. */
export interface AwaitedChange {
  /** Whether a message that came by is what this change made of it; null: any is. */
  is: ((message: Message) => boolean) | null;
  /** Takes the message's JSON text. */
  answer(message: string): void;
}

/** What the sessions of an edge leave to it. */
export interface SessionOwner {
  turn: WriteBatcher;
  /** The session has sent the reason of its end: close its connection. */
  ended(session: Session, reconnect: boolean, code: EndCode): void;
  /** The client reads too slowly and too much waits for it. Called once. */
  slow(session: Session): void;
}

export interface SessionOptions {
  id: SessionId;
  identity: Pick<Identity, "userId" | "family" | "expiresAtMs" | "endsAtMs" | "issuedAtMs"> &
    Partial<Pick<Identity, "claims">>;
  connection: Connection;
  limits: SessionLimits;
  /** The contract that its client speaks; by default version 1. */
  contract?: ContractVersion;
  host: SessionOwner;
}

export class Session {
  readonly id: SessionId;
  readonly user: UserId;
  readonly contract: ContractVersion;
  /** The conversations that are live here, by rising time of the user's last own activity. */
  readonly streams = new Set<AttachedStream>();
  /** How many of them are threads, which have a limit of their own. */
  threads = 0;
  /** How many of them are channels, which the client watches. */
  channels = 0;
  /** Threads that the client has joined, which stay live when its user follows them no more. */
  readonly joinedThreads = new LazySet<ConversationId>();
  /** The user has conversations that are not live here; Activity sends the session their changes. */
  isPartial = false;
  /** When storage read the state with which the session began, by the database's clock. */
  readAtMs = 0;
  /** Watches of the users whose presence the session receives, with the reasons (WATCH_REASON bits). */
  readonly watches = new Map<Watch, number>();
  readonly postWatches = new LazySet<PostWatch>();
  readonly actorWatches = new LazySet<ActorWatch>();
  /** Watches whose answer is on its way. */
  actorsEntering = 0;
  readonly limits: SessionLimits;
  /** Conversations in which this session has announced that its user is typing. */
  readonly typingIn = new LazySet<ConversationId>();
  /** Its own changes that are not answered yet, in the order in which it asked for them. */
  readonly #awaited = new LazyMap<string, AwaitedChange[]>();
  /** Own changes that were answered in conversations that are not live here, by their revs. */
  readonly #answered = new LazyMap<ConversationId, number[]>();
  /** Conversations that the client has left with `leave_conversation`. */
  readonly left = new LazySet<ConversationId>();
  /** Conversations whose stream it enters once it has read what it lacks; settles then. */
  readonly entering = new LazyMap<ConversationId, Promise<void>>();
  status: SessionStatus = "online";
  family: FamilyId | null;
  /** When its token expires, as the token says. */
  expiresAtMs: WallTime;
  /** When it ends unless it is given another token. */
  endsAtMs: Monotonic;
  /** When its token was issued, in milliseconds since the epoch; null: it does not say. */
  issuedAtMs: number | null;
  /** What the application had put into its token. */
  claims: Identity["claims"];
  isExpiryAnnounced = false;
  /** Where it is in Expiries. */
  expirySlot = 0;
  /** When it became live. */
  sinceMs = wallTime(0);
  /** The same moment, to measure its age. */
  liveAtMs: Monotonic = BEFORE_ALL;
  readonly connection: Connection;
  readonly #outlet: SendQueue;
  readonly #host: SessionOwner;
  #phase: Phase = { is: "opening", held: [] };

  constructor({ id, identity, connection, limits, contract, host }: SessionOptions) {
    this.id = id;
    this.contract = contract ?? "1";
    this.user = identity.userId;
    this.family = identity.family;
    this.expiresAtMs = identity.expiresAtMs;
    this.endsAtMs = identity.endsAtMs;
    this.issuedAtMs = identity.issuedAtMs;
    this.claims = identity.claims ?? null;
    this.limits = limits;
    this.connection = connection;
    this.#outlet = new SendQueue(connection, host.turn, () => host.slow(this));
    this.#host = host;
  }

  get isLive(): boolean {
    return this.#phase.is === "live";
  }

  get isEnded(): boolean {
    return this.#phase.is === "ended";
  }

  /** Whether events of the conversation belong here and do not come yet. */
  wantsStream(id: ConversationId): boolean {
    if (this.isEnded || this.left.has(id) || this.entering.has(id)) return false;
    for (const stream of this.streams) if (stream.id === id) return false;
    return true;
  }

  /** The user was active in a conversation that is live here: it is the last one to leave. */
  movesUp(stream: AttachedStream): void {
    if (this.streams.delete(stream)) this.streams.add(stream);
  }

  /**
   * Sends what the session's contract has of the packet; see Packet.forVersion1. For `latestKey`
   * and `order` see SendQueue.
   */
  send(event: Packet, latestKey: string | null = null, order: string | null = null): void {
    const packet = this.contract === "1" ? event.forVersion1 : event;
    if (packet === null) return;
    switch (this.#phase.is) {
      case "live":
        this.#outlet.send(packet, latestKey, order);
        return;
      case "opening":
        if (this.#phase.held.length < HELD_MAX) {
          this.#phase.held.push({ packet, latestKey, order });
        } else this.end("slow_consumer", "Too much happened while the session began.", true);
        return;
      case "ended":
        return;
    }
  }

  /** Sends the packet unless the client reads too slowly for it; see SendQueue.offer. */
  offer(packet: Packet): boolean {
    if (this.#phase.is === "live") return this.#outlet.offer(packet);
    this.send(packet);
    return true;
  }

  /** Whether the client reads quickly enough for what is offered. */
  get keepsUp(): boolean {
    return this.#phase.is !== "live" || this.#outlet.keepsUp;
  }

  /** Calls back once, when the client has read most of what was sent. */
  onceRead(tell: () => void): void {
    this.#outlet.onceRead(tell);
  }

  /** The session has its own change by an answer, while the conversation is not live here. */
  wasAnswered(id: ConversationId, rev: number): void {
    const revs = this.#answered.get(id) ?? [];
    this.#answered.set(id, [...revs.slice(1 - ANSWERED_REVS_MAX), rev]);
  }

  /** Such changes after `rev`. */
  answeredAfter(id: ConversationId, rev: number): number[] {
    return this.#answered.get(id)?.filter((answered) => answered > rev) ?? [];
  }

  /** Nothing up to `rev` will come as an event any more. */
  forgetAnswered(id: ConversationId, rev: number): void {
    const later = this.answeredAfter(id, rev);
    if (later.length > 0) this.#answered.set(id, later);
    else this.#answered.delete(id);
  }

  /** `key`: "conversation c<client_id>" or "conversation s<seq>". */
  waitFor(key: string, change: AwaitedChange): void {
    const queue = this.#awaited.get(key);
    if (queue === undefined) this.#awaited.set(key, [change]);
    else queue.push(change);
  }

  /** The change has its answer. */
  waitsNoMore(key: string, change: AwaitedChange): void {
    const rest = this.#awaited.get(key)?.filter((one) => one !== change) ?? [];
    if (rest.length > 0) this.#awaited.set(key, rest);
    else this.#awaited.delete(key);
  }

  /** Whether it asked for this change of a message and has no answer yet. */
  awaits(key: string, message: string): boolean {
    return this.#awaitedAs(key, message) !== undefined;
  }

  /** Answers its own change with the message; false: it has been answered otherwise. */
  answers(key: string, message: string): boolean {
    const change = this.#awaitedAs(key, message);
    if (change === undefined) return false;
    this.waitsNoMore(key, change);
    change.answer(message);
    return true;
  }

  #awaitedAs(key: string, message: string): AwaitedChange | undefined {
    const queue = this.#awaited.get(key);
    if (queue === undefined) return undefined;
    return queue.find((change) => change.is === null || change.is(JSON.parse(message) as Message));
  }

  /** Sends `ready`, then what was held: `ready` is the first of all events. */
  begin(ready: ServerPayload<"ready">): void {
    if (this.#phase.is !== "opening") return;
    const { held } = this.#phase;
    this.#phase = { is: "live" };
    this.#outlet.send(Packet.event("ready", JSON.stringify(ready)));
    for (const { packet, latestKey, order } of held) this.#outlet.send(packet, latestKey, order);
  }

  /** Says why, and closes. */
  end(code: EndCode, message: string, reconnect: boolean): void {
    if (this.#phase.is === "ended") return;
    this.#phase = { is: "ended" };
    const payload: ServerPayload<"session_ended"> = { code, message, reconnect };
    this.#outlet.sendLast(Packet.event("session_ended", JSON.stringify(payload)));
    this.#host.ended(this, reconnect, code);
  }

  /** The connection is gone. */
  closed(): void {
    this.#phase = { is: "ended" };
  }
}
