/**
 * The real hub of one edge between counting stubs: storage that knows every conversation, and
 * actors of other workers that answer after a while. For tests that count what recovery costs.
 */

import { createLogger } from "../../src/base/log.ts";
import { Hub } from "../../src/edge/hub.ts";
import { PageTurns } from "../../src/edge/limits/turns.ts";
import type { Queries, SessionOpening } from "../../src/ports/edge.ts";
import { REFUSALS } from "../../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { PresenceStatus, Status } from "../../src/protocol/schemas.ts";
import type { Exchange } from "../../src/runtime/exchange.ts";
import { FLAG, FRAME, type Frame, frame, type ManyLetters } from "../../src/runtime/frames.ts";
import { Gateway } from "../../src/runtime/gateway.ts";
import type { View } from "../../src/runtime/view.ts";
import { type FakeClock, settled } from "./fake-clock.ts";
import { FarEnd } from "./far-end.ts";

export interface Counts {
  /** Conversations in statements for revs, the statements, and the most in one. */
  revIds: number;
  revStatements: number;
  revIdsMost: number;
  openings: number;
  /** Statements that look which users' conversations, follows or blocks changed. */
  changeReads: number;
  notificationReads: number;
  /** Statements that look how far the notifications of many users have come. */
  seqStatements: number;
  /** Frames to actors that want an answer; users in those for many; the most of each at once. */
  asks: number;
  usersAsked: number;
  underWayMost: number;
  usersUnderWayMost: number;
  tells: number;
}

export interface LocalUser {
  user: string;
  conversations: readonly string[];
  followees: readonly string[];
}

const NOTHING: Counts = {
  revIds: 0,
  revStatements: 0,
  revIdsMost: 0,
  openings: 0,
  changeReads: 0,
  notificationReads: 0,
  seqStatements: 0,
  asks: 0,
  usersAsked: 0,
  underWayMost: 0,
  usersUnderWayMost: 0,
  tells: 0,
};

export class CountingEdge {
  readonly gateway: Gateway;
  readonly hub: Hub;
  readonly ends = new Map<string, FarEnd>();
  counts: Counts = { ...NOTHING };
  /** Users in asks for many, by the worker that was asked. */
  readonly usersAskedOf = new Map<string, number>();
  /** The answers of the users' actors, where they are not "online". */
  readonly truth = new Map<string, PresenceStatus>();
  /** Asks for many that are refused `unavailable`. */
  refuses: (to: string) => boolean = () => false;
  answerMs = 0;
  /** Statements for revs that are still to fail. */
  failingRevs = 0;
  /** Users of whom storage says that their conversations, follows or blocks changed. */
  readonly changed = new Set<string>();
  readonly #clock: FakeClock;
  readonly #users = new Map<string, LocalUser>();
  #underWay = 0;
  #usersUnderWay = 0;

  constructor(incarnation: string, clock: FakeClock, view: View) {
    this.#clock = clock;
    this.gateway = new Gateway({
      clock,
      self: incarnation,
      side: "edge",
      send: (f) => this.#onFrame(f),
    });
    this.gateway.setView(view);
    const { gateway } = this;
    const exchange = {
      gateway,
      subscribe: async () => undefined,
      unsubscribe: () => undefined,
      get placement() {
        return gateway.placement;
      },
    };
    this.hub = new Hub({
      incarnation,
      exchange: exchange as unknown as Exchange,
      queries: this.#queries() as unknown as Queries,
      links: { in: (text) => text },
      pages: new PageTurns(),
      auth: { verify: async () => REFUSALS.unavailable },
      onRevoked: () => undefined,
      readRevoked: async () => () => false,
      clock,
      log: createLogger({ level: "silent" }),
    });
  }

  /** One session of this user begins, and reads what its followees' statuses are. */
  async begins(local: LocalUser): Promise<void> {
    const { far, opening } = await this.#opens(local);
    this.hub.sessions.begun(far.session, opening);
    await settled();
  }

  /** The same, where the statuses have come as events: quicker where there are very many. */
  async beginsAmongOnline(local: LocalUser): Promise<void> {
    await this.#opens(local);
    for (const user of local.followees) {
      const status: Status = { user_id: user, status: "online", last_seen_at: null };
      const from = this.gateway.placement.ownerOf(`user:${user}`) ?? "";
      const body = JSON.stringify(status);
      this.hub.onEvent(frame(FRAME.event, { key: `user_status:${user}`, from, body }));
    }
    this.ends.get(local.user)!.texts.splice(0);
  }

  async #opens(local: LocalUser): Promise<{ far: FarEnd; opening: SessionOpening }> {
    this.#users.set(local.user, local);
    const far = new FarEnd({ user: local.user }).begins();
    this.ends.set(local.user, far);
    const opening = await this.hub.sessions.open(far.session);
    if (opening === null) throw new Error(`there is no user ${local.user}`);
    return { far, opening };
  }

  resets(): void {
    this.counts = { ...NOTHING };
    this.usersAskedOf.clear();
  }

  takesView(view: View): void {
    const before = this.gateway.placement;
    this.gateway.setView(view);
    this.hub.onView(this.gateway.placement, before);
  }

  close(): void {
    this.hub.close();
    this.gateway.close();
  }

  #onFrame(f: Frame): void {
    const { counts } = this;
    if (f.type === FRAME.tell) {
      counts.tells++;
      return;
    }
    counts.asks++;
    const users = (f.flags & FLAG.many) === 0 ? 0 : usersOf(f).length;
    counts.usersAsked += users;
    this.usersAskedOf.set(f.to, (this.usersAskedOf.get(f.to) ?? 0) + users);
    this.#underWay++;
    this.#usersUnderWay += users;
    counts.underWayMost = Math.max(counts.underWayMost, this.#underWay);
    counts.usersUnderWayMost = Math.max(counts.usersUnderWayMost, this.#usersUnderWay);
    const answer = () => {
      this.#underWay--;
      this.#usersUnderWay -= users;
      this.gateway.onAnswer(frame(FRAME.answer, { corr: f.corr, ...this.#answerTo(f) }));
    };
    if (this.answerMs === 0) queueMicrotask(answer);
    else this.#clock.after(this.answerMs, answer);
  }

  #answerTo(f: Frame): Partial<Frame> {
    const statusOf = (id: string): Status => ({
      user_id: id,
      status: this.truth.get(id) ?? "online",
      last_seen_at: null,
    });
    if ((f.flags & FLAG.many) === 0) {
      const [kind, id] = f.key.split(":");
      const body = kind === "user" ? JSON.stringify(statusOf(id!)) : '"done"';
      return { flags: FLAG.ok, body };
    }
    if (this.refuses(f.to)) return { body: JSON.stringify(REFUSALS.unavailable.error) };
    const answers = usersOf(f).flatMap(({ id, told }) =>
      told === statusOf(id).status ? [] : statusOf(id),
    );
    return { flags: FLAG.ok, body: JSON.stringify({ answers, undone: [] }) };
  }

  #queries() {
    return {
      visibleFrom: async () => new Map(),
      revs: async (ids: ConversationId[]) => {
        this.counts.revStatements++;
        this.counts.revIds += ids.length;
        if (this.failingRevs-- > 0) throw new Error("storage is away");
        this.counts.revIdsMost = Math.max(this.counts.revIdsMost, ids.length);
        return new Map(ids.map((id) => [id, 1]));
      },
      openSession: async (user: UserId): Promise<SessionOpening> => {
        this.counts.openings++;
        const { conversations, followees } = this.#users.get(user)!;
        return {
          user: { id: user, username: "", display_name: "", created_at: "" },
          suspended: false,
          conversations: conversations.map((id) => ({
            id: id as ConversationId,
            rev: 1,
            peer: null,
          })),
          hasMoreConversations: false,
          unread: [],
          hasMoreUnread: false,
          threads: [],
          hasMoreThreads: false,
          unreadThreads: [],
          channels: [],
          readAtMs: 0,
          followees: followees as UserId[],
          blocked: [],
          unreadNotifications: 0,
          lastPrefsRev: 0,
          isReserved: false,
          lastNotificationSeq: 0,
        };
      },
      lastSeen: async (ids: UserId[]) => new Map(ids.map((id) => [id, null])),
      changedUsers: async (users: UserId[]) => {
        this.counts.changeReads++;
        return users.filter((user) => this.changed.has(user));
      },
      notificationSeqs: async () => {
        this.counts.seqStatements++;
        return new Map();
      },
      notificationsAfter: async () => {
        this.counts.notificationReads++;
        return [];
      },
      postCounts: async () => [],
      blockedAmong: async () => [],
      joiningChange: async () => null,
      changes: async () => ({ changes: [], hasMore: false, forgotten: null }),
    };
  }
}

function usersOf(f: Frame): { id: string; told: PresenceStatus }[] {
  const letters = JSON.parse(f.body) as (ManyLetters & { body: { told: PresenceStatus } })[];
  return letters.flatMap(({ body: { told }, ids }) => ids.map((id) => ({ id, told })));
}
