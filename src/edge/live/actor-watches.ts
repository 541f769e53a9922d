/**
 * Which sessions of this edge watch which of the application's actors, and what they have received.
 *
 * [AWT1] A session receives every `rev` of an actor once and in order, from the one that its
 *        acknowledgement names until its watch ends with `actor_closed`.
 * [AWT2] A gap, a new placement of the actor and a doubt are repaired from the actor, which learns
 *        at the same time who watches.
 * [AWT3] The answer of a call waits for the events before it.
 * [AWT4] A receiver whom an event does not name receives its `rev` only.
 */
import type { Clock } from "../../base/clock.ts";
import type { AppCloseCode, AppClosedNote, AppNews } from "../../protocol/actor-ops.ts";
import {
  APP_WATCHES_MAX,
  type AppCaller,
  type AppEvent,
  appActorId,
} from "../../protocol/app-actors.ts";
import { type Doubt, doubtedOf } from "../../protocol/doubt.ts";
import { type ErrorObject, refused } from "../../protocol/errors.ts";
import { topicOf } from "../../protocol/topics.ts";
import type { Frame } from "../../runtime/frames.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import type { Placement } from "../../runtime/view.ts";
import { userCaller } from "../actor-calls.ts";
import type { ActorWatch, Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import { FormerOwners } from "./former-owners.ts";
import type { TopicSubscriptions } from "./subscriptions.ts";

const REPAIR_AGAIN_MS = 1_000;
/** An answer that waits for events longer than this has them read. */
const EVENTS_LATE_MS = 250;
/** Repairs that one new view or doubt begins at a time. */
const REPAIRS_AT_ONCE = 50;
/** After a worker died, what it committed last may be stored a moment later. */
const SECOND_LOOK_MS = 1_500;

export const TOO_MANY_ACTORS = refused(
  "invalid_payload",
  `A session watches at most ${APP_WATCHES_MAX} actors.`,
);

interface Watcher {
  /** The last one it has. */
  rev: number;
  caller: AppCaller;
}

interface Waiting {
  session: Session;
  rev: number;
  give: () => void;
}

interface Stream extends ActorWatch {
  kind: string;
  key: string;
  epoch: number;
  /** All up to here were delivered; null: nobody's answer has come yet. */
  rev: number | null;
  sessions: Map<Session, Watcher>;
  /** Sessions whose answer is on its way; for them all events are kept. */
  entering: number;
  recent: Map<number, AppEvent>;
  /** Closings that came while somebody enters. */
  closings: { rev: number; note: AppClosedNote }[];
  waiting: Waiting[];
  isRepairing: boolean;
  mustRepair: boolean;
}

export interface ActorWatchesOptions {
  incarnation: string;
  clock: Clock;
  gateway: Gateway;
  interests: TopicSubscriptions;
}

export class ActorWatches {
  readonly #options: ActorWatchesOptions;
  readonly #streams = new Map<string, Stream>();
  readonly #formerOwners: FormerOwners;
  #isClosed = false;

  constructor(options: ActorWatchesOptions) {
    this.#options = options;
    this.#formerOwners = new FormerOwners(options.clock);
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Answers `{rev, view}` or `{rev, events}`, as JSON text. */
  async watch(
    session: Session,
    kind: string,
    key: string,
    afterRev: number | null,
    ack: { ok(answer: string): void; refuse(error: ErrorObject): void },
  ): Promise<void> {
    const { gateway, interests, incarnation } = this.#options;
    const id = appActorId(kind, key);
    const isNew = !session.actorWatches.has(this.#streams.get(id) as ActorWatch);
    if (isNew && session.actorWatches.size + session.actorsEntering >= APP_WATCHES_MAX) {
      ack.refuse(TOO_MANY_ACTORS.error);
      return;
    }
    const stream = this.#streamOf(id, kind, key);
    stream.entering++;
    session.actorsEntering++;
    try {
      await interests.want(topicOf.app(id));
      const caller = userCaller(session.user, session.id, session.claims);
      const watch = { session: session.id, worker: incarnation };
      const answer = await gateway.ask("app", id, "watch", { caller, after_rev: afterRev, watch });
      if (!answer.ok) {
        ack.refuse(answer.error);
        return;
      }
      if (session.isEnded) {
        gateway.tell("app", id, "unwatch", { session: session.id });
        return;
      }
      this.#enter(stream, session, caller, answer.value, ack);
    } finally {
      stream.entering--;
      session.actorsEntering--;
      interests.release(topicOf.app(id));
      this.#tidy(stream);
    }
  }

  unwatch(session: Session, kind: string, key: string): void {
    const stream = this.#streams.get(appActorId(kind, key));
    if (stream !== undefined) this.remove(session, stream);
  }

  /** The session watches it no longer. */
  remove(session: Session, watch: ActorWatch): void {
    const stream = this.#streams.get(watch.id);
    if (stream === undefined || !this.#leave(stream, session)) return;
    this.#options.gateway.tell("app", stream.id, "unwatch", { session: session.id });
    this.#tidy(stream);
  }

  /** [AWT3] */
  answer(session: Session, kind: string, key: string, rev: number, give: () => void): void {
    const stream = this.#streams.get(appActorId(kind, key));
    const watcher = stream?.sessions.get(session);
    if (stream === undefined || watcher === undefined || watcher.rev >= rev) {
      give();
      return;
    }
    const waiting: Waiting = { session, rev, give };
    stream.waiting.push(waiting);
    this.#options.clock.after(EVENTS_LATE_MS, () => {
      if (stream.waiting.includes(waiting)) this.#repair(stream);
    });
  }

  onEvent(id: string, frame: Frame): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (frame.name === "actor_closed") {
      this.#onClosed(stream, frame.rev, JSON.parse(frame.note) as AppClosedNote);
      return;
    }
    if (stream.rev !== null && frame.rev <= stream.rev) return;
    stream.recent.set(frame.rev, eventOf(frame));
    this.#drain(stream);
    if (stream.rev !== null && stream.recent.has(frame.rev) && frame.rev > stream.rev) {
      this.#repair(stream);
    }
  }

  onView(now: Placement, before: Placement): void {
    this.#formerOwners.ended(before);
    const died = now.diedSince(before);
    const orphans = died.size > 0 ? this.#formerOwners.orphansOf(died, before) : null;
    const unsure = [...this.#streams.values()].filter(({ id }) => {
      const key = `app:${id}`;
      return now.ownerOf(key) !== before.ownerOf(key) || orphans?.isOrphan(key) === true;
    });
    this.#repairAll(unsure);
    if (unsure.length === 0 || died.size === 0) return;
    this.#options.clock.after(SECOND_LOOK_MS, () => this.#repairAll(unsure));
  }

  /** Letters from this edge to actors on these workers may be lost. */
  onGap(incarnations: ReadonlySet<string>): void {
    const { placement } = this.#options.gateway;
    const lost = [...this.#streams.values()].filter(({ id }) =>
      incarnations.has(placement.ownerOf(`app:${id}`) ?? ""),
    );
    this.#repairAll(lost);
  }

  onDoubt(doubt: Doubt): void {
    const ids = doubtedOf("app", doubt);
    const named = ids === null ? null : new Set(ids);
    this.#repairAll([...this.#streams.values()].filter(({ id }) => named?.has(id) !== false));
  }

  #repairAll(streams: Stream[]): void {
    const rest = [...streams];
    const next = async (): Promise<void> => {
      for (let one = rest.shift(); one !== undefined; one = rest.shift()) await this.#repair(one);
    };
    for (let n = 0; n < REPAIRS_AT_ONCE; n++) void next();
  }

  #streamOf(id: string, kind: string, key: string): Stream {
    let stream = this.#streams.get(id);
    if (stream !== undefined) return stream;
    stream = {
      id,
      kind,
      key,
      epoch: 0,
      rev: null,
      sessions: new Map(),
      entering: 0,
      recent: new Map(),
      closings: [],
      waiting: [],
      isRepairing: false,
      mustRepair: false,
    };
    this.#streams.set(id, stream);
    return stream;
  }

  #enter(
    stream: Stream,
    session: Session,
    caller: AppCaller,
    { epoch, ...news }: AppNews & { epoch: number },
    ack: { ok(answer: string): void },
  ): void {
    if (stream.sessions.size === 0) {
      // A failure is tried again by TopicSubscriptions.
      this.#options.interests.want(topicOf.app(stream.id)).catch(() => undefined);
      stream.rev = Math.max(stream.rev ?? 0, news.rev);
      stream.epoch = epoch;
    }
    stream.sessions.set(session, { rev: news.rev, caller });
    session.actorWatches.add(stream);
    ack.ok(newsText(stream, news, session.user));
    // Events that have come meanwhile and are not in the answer.
    for (let rev = news.rev + 1; rev <= (stream.rev ?? 0); rev++) {
      const event = stream.recent.get(rev);
      if (event !== undefined) this.#send(stream, session, event);
    }
    this.#drain(stream);
    for (const { rev, note } of stream.closings) {
      if (rev >= news.rev) this.#close(stream, note);
    }
  }

  /** Delivers what has come, as far as it has no gap. */
  #drain(stream: Stream): void {
    if (stream.rev === null) return;
    for (let event = stream.recent.get(stream.rev + 1); event !== undefined; ) {
      stream.rev = event.rev;
      for (const session of stream.sessions.keys()) this.#send(stream, session, event);
      event = stream.recent.get(stream.rev + 1);
    }
    if (stream.entering === 0) {
      for (const rev of stream.recent.keys()) if (rev <= stream.rev) stream.recent.delete(rev);
    }
    this.#giveAnswers(stream);
  }

  #giveAnswers(stream: Stream): void {
    if (stream.waiting.length === 0) return;
    const isDue = ({ session, rev }: Waiting) =>
      (stream.sessions.get(session)?.rev ?? Number.POSITIVE_INFINITY) >= rev;
    const due = stream.waiting.filter(isDue);
    stream.waiting = stream.waiting.filter((waiting) => !isDue(waiting));
    for (const { give } of due) give();
  }

  #send(stream: Stream, session: Session, event: AppEvent): void {
    const watcher = stream.sessions.get(session);
    if (watcher === undefined || watcher.rev >= event.rev) return;
    watcher.rev = event.rev;
    session.send(packetOf(stream, event, session.user));
  }

  #onClosed(stream: Stream, rev: number, note: AppClosedNote): void {
    if (stream.entering > 0) stream.closings.push({ rev, note });
    // Its events have come by the same way, before it.
    if (stream.rev !== null && rev > stream.rev) this.#repair(stream);
    this.#close(stream, note);
  }

  #close(stream: Stream, { code, sessions }: AppClosedNote): void {
    const named = sessions === null ? null : new Set(sessions);
    for (const session of [...stream.sessions.keys()]) {
      if (named?.has(session.id) !== false) this.#endFor(stream, session, code);
    }
    this.#tidy(stream);
  }

  #endFor(stream: Stream, session: Session, code: AppCloseCode): void {
    const { kind, key } = stream;
    this.#leave(stream, session);
    session.send(Packet.event("actor_closed", JSON.stringify({ kind, key, code })));
  }

  #leave(stream: Stream, session: Session): boolean {
    if (!stream.sessions.delete(session)) return false;
    session.actorWatches.delete(stream);
    if (stream.sessions.size === 0) this.#options.interests.release(topicOf.app(stream.id));
    this.#giveAnswers(stream);
    return true;
  }

  #tidy(stream: Stream): void {
    if (stream.entering > 0) return;
    stream.closings = [];
    if (stream.sessions.size === 0) {
      if (this.#streams.get(stream.id) === stream) this.#streams.delete(stream.id);
    } else this.#drain(stream);
  }

  /** [AWT2] Never rejects. */
  async #repair(stream: Stream): Promise<void> {
    if (stream.isRepairing) {
      stream.mustRepair = true;
      return;
    }
    if (this.#isClosed || stream.rev === null || stream.sessions.size === 0) return;
    stream.isRepairing = true;
    const { gateway, incarnation, clock } = this.#options;
    const watchers = [...stream.sessions].map(([session, { caller }]) => ({
      session: session.id,
      caller,
    }));
    const { rev, epoch } = stream;
    const answer = await gateway.ask("app", stream.id, "announced", {
      worker: incarnation,
      watchers,
      rev,
      epoch,
    });
    stream.isRepairing = false;
    if (!answer.ok && answer.error.code === "not_found") {
      this.#close(stream, { code: "destroyed", sessions: null });
    } else if (!answer.ok) clock.after(REPAIR_AGAIN_MS, () => void this.#repair(stream));
    else if ("closed" in answer.value) {
      this.#close(stream, { code: answer.value.closed, sessions: null });
    } else {
      for (const event of answer.value.events) {
        if (event.rev > (stream.rev ?? 0)) stream.recent.set(event.rev, event);
      }
      stream.epoch = answer.value.epoch;
      this.#drain(stream);
    }
    if (!stream.mustRepair) return;
    stream.mustRepair = false;
    await this.#repair(stream);
  }
}

function eventOf({ rev, body, note }: Frame): AppEvent {
  const { name, data } = JSON.parse(body) as { name: string; data: unknown };
  return {
    rev,
    name,
    data: JSON.stringify(data),
    ...(note !== "" && { to: JSON.parse(note) as string[] }),
  };
}

type Named = Pick<Stream, "kind" | "key">;

/** As a receiver may know it. */
function eventText({ kind, key }: Named, { rev, name, data, to }: AppEvent, user: string | null) {
  const head = `{"kind":"${kind}","key":"${key}","rev":${rev}`;
  if (to !== undefined && (user === null || !to.includes(user))) return `${head}}`;
  return `${head},"name":"${name}","data":${data}}`;
}

/** Sessions of one kind of receiver share a packet. */
const PACKETS = new WeakMap<AppEvent, { whole: Packet | null; bare: Packet | null }>();

function packetOf(stream: Named, event: AppEvent, user: string): Packet {
  const isBare = event.to !== undefined && !event.to.includes(user);
  let made = PACKETS.get(event);
  if (made === undefined) {
    made = { whole: null, bare: null };
    PACKETS.set(event, made);
  }
  const slot = isBare ? "bare" : "whole";
  made[slot] ??= Packet.event("actor_event", eventText(stream, event, user));
  return made[slot];
}

/** `{rev, view}` or `{rev, events}`, with `reset` where that is asked for, as JSON text. */
export function newsText(
  stream: Named,
  { rev, view, events }: AppNews,
  user: string | null,
): string {
  if (events === undefined) return `{"rev":${rev},"view":${view ?? "null"}}`;
  return `{"rev":${rev},"events":[${events.map((event) => eventText(stream, event, user)).join(",")}]}`;
}
