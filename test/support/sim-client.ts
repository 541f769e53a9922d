/**
 * A client of a simulated cluster: opens sessions, sends commands, and keeps what it hears as
 * an application would (messages by seq, a rev a conversation, who types, who is online). Each
 * packet is held against the contract as it comes; what is wrong is collected in `complaints`.
 */
import type { AckSink } from "../../src/edge/commands/ack-sink.ts";
import type { Commands } from "../../src/edge/commands/handler.ts";
import { Session } from "../../src/edge/session/session.ts";
import { SessionLimits } from "../../src/edge/session/session-limits.ts";
import { WriteBatcher } from "../../src/edge/transport/write-batcher.ts";
import type { ContractVersion } from "../../src/protocol/contract.ts";
import type { ClientEventName, ClientPayload, ServerPayload } from "../../src/protocol/events.ts";
import type { ConversationId, SessionId, UserId } from "../../src/protocol/ids.ts";
import { REACTION_CHANGES_MAX } from "../../src/protocol/reaction-keys.ts";
import type {
  Conversation,
  Message,
  OwnReactions,
  PresenceStatus,
  Reacted,
  Status,
} from "../../src/protocol/schemas.ts";
import type { Answer, SimWorker, World } from "./actor-world.ts";
import { expiring } from "./far-end.ts";
import {
  applyReaction,
  forget,
  isNext,
  type KnownConversation,
  knowOwn,
  nothingKnown,
  type SyncAnswer,
  take,
  takenInAgain,
  takeOwn,
  withReactions,
} from "./known-conversation.ts";
import { NearConnection } from "./near-connection.ts";

/** A client may learn a new fact, or keep an outdated one, for this long. */
const HEARSAY_MS = 150;
let sessionsMade = 0;

export class SimClient {
  readonly user: UserId;
  readonly known = new Map<ConversationId, KnownConversation>();
  readonly statuses = new Map<string, PresenceStatus>();
  readonly heardStatuses: Status[] = [];
  readonly heard: { name: string; body: unknown; atMs: number }[] = [];
  readonly complaints: string[] = [];
  /** When the present session began to be ready. */
  readySinceMs = 0;
  /** Commands answered, and how often each. */
  readonly answers: number[] = [];
  contract: ContractVersion = "1";
  readonly #world: World;
  #session: Session | null = null;
  #worker: SimWorker | null = null;
  #isSynced = false;
  /** Reactions that came before the answer of `sync`: they follow what that brings. */
  #early: (() => void)[] = [];

  constructor(world: World, user: UserId) {
    this.#world = world;
    this.user = user;
  }

  get isReady(): boolean {
    return this.#isSynced && this.isConnected;
  }

  get isConnected(): boolean {
    return this.#session?.isLive === true && this.#worker?.isDead === false;
  }

  get worker(): SimWorker | null {
    return this.#worker;
  }

  get session(): SessionId {
    if (this.#session === null) throw new Error("the client has no session");
    return this.#session.id;
  }

  connects(worker: SimWorker): void {
    this.disconnects();
    const { edge } = worker;
    const id = `s${++sessionsMade}` as SessionId;
    const session = new Session({
      id,
      identity: {
        userId: this.user,
        family: null,
        issuedAtMs: null,
        ...expiring(this.#world.clock, 1e9),
      },
      connection: this.#connection(id),
      limits: new SessionLimits(null, this.user),
      contract: this.contract,
      host: {
        turn: new WriteBatcher(),
        ended: (ended) => edge.sessions.close(ended),
        slow: () => this.complaints.push("slow consumer"),
      },
    });
    this.#session = session;
    this.#worker = worker;
    this.#isSynced = false;
    this.#early = [];
    this.statuses.clear();
    const held = new Map([...this.known].map(([room, { rev }]) => [room, rev]));
    for (const known of this.known.values()) {
      known.liveRev = 0;
      known.revs.length = 0;
      known.ackedRevs.clear();
      known.leftRevs.clear();
      known.syncedRev = 0;
      known.isLeft = false;
      known.typing.clear();
    }
    edge.sessions.open(session).then(
      (opening) => {
        if (worker.isDead || session.isEnded || opening === null) return;
        session.begin({
          user: opening.user,
          session_id: id,
          server_time: "",
          token_expires_at: "",
          unread: { notifications: 0, conversations: opening.unread },
        });
        edge.sessions.begun(session, opening);
        this.readySinceMs = this.#world.clock.nowMs();
        void this.#sync(held);
      },
      // The primary or storage was out of reach: as with a real server, the client tries again.
      () => {
        edge.sessions.close(session);
        if (this.#session === session && !worker.isDead) this.connects(worker);
      },
    );
  }

  /** The connection ends; its edge notices at once. */
  disconnects(): void {
    const session = this.#session;
    const worker = this.#worker;
    this.#session = null;
    this.#worker = null;
    if (session !== null && worker !== null && !worker.isDead) worker.edge.sessions.close(session);
  }

  /** A command; resolves with its answer, never when the session dies first. */
  says<E extends ClientEventName>(event: E, payload: ClientPayload<E>): Promise<Answer> {
    const session = this.#session;
    const worker = this.#worker;
    if (session === null || worker === null) throw new Error("the client is not connected");
    const n = this.answers.push(0) - 1;
    return new Promise((resolve) => {
      const sink: AckSink = {
        ok: (body) => {
          const value = JSON.parse(body) as Record<string, unknown>;
          if (this.#answered(n, session)) {
            this.#onAck(event, payload, value);
            resolve({ ok: true, value });
          }
        },
        refuse: (error) => {
          if (this.#answered(n, session)) resolve({ ok: false, error });
        },
      };
      const handle = worker.edge.commands[event] as Commands[E];
      handle(session, payload, sink)?.catch((fault: unknown) => {
        sink.refuse({ code: "unavailable", message: String(fault) });
      });
    });
  }

  sends(conversation_id: ConversationId, client_id: string, body = client_id): Promise<Answer> {
    return this.says("send_message", { conversation_id, client_id, body });
  }

  /** Over HTTP: by the gateway of the worker, with no session. */
  async changesMembers(
    id: ConversationId,
    change: { add: UserId[] } | { remove: UserId },
  ): Promise<Answer> {
    const gateway = this.#worker!.edge.exchange.gateway;
    const acting = { user: this.user, session: "" as const };
    const answer =
      "add" in change
        ? await gateway.ask("conversation", id, "add_members", { ...acting, user_ids: change.add })
        : await gateway.ask("conversation", id, "remove_member", {
            ...acting,
            user_id: change.remove,
          });
    return answer.ok ? { ok: true, value: {} } : answer;
  }

  async retitles(id: ConversationId, title: string): Promise<void> {
    const body = { user: this.user, session: "" as const, title };
    await this.#worker!.edge.exchange.gateway.ask("conversation", id, "update", body);
  }

  conversation(id: ConversationId): KnownConversation {
    let known = this.known.get(id);
    if (known === undefined) {
      known = nothingKnown();
      this.known.set(id, known);
    }
    return known;
  }

  names(name: string): unknown[] {
    return this.heard.filter((one) => one.name === name).map((one) => one.body);
  }

  /** What the server asks once of each command. */
  #answered(n: number, session: Session): boolean {
    this.answers[n]!++;
    if (this.answers[n]! > 1) this.complaints.push(`command ${n} was answered twice`);
    // What a dead worker had not written yet never arrives, neither events nor answers.
    return session === this.#session && this.#worker?.isDead === false;
  }

  async #sync(held: Map<ConversationId, number>): Promise<void> {
    const conversations = [...held].map(([conversation_id, after_rev]) => ({
      conversation_id,
      after_rev,
    }));
    const answer = await this.says("sync", { conversations, complete: true });
    if (!answer.ok) {
      this.#world.clock.after(100, () => {
        if (this.isConnected) void this.#sync(held);
      });
      return;
    }
    const { conversations: synced, removed, has_more } = answer.value as unknown as SyncAnswer;
    for (const id of removed) {
      this.known.delete(id);
      held.delete(id);
    }
    for (const one of synced) {
      const known = this.conversation(one.conversation_id);
      takeOwn(known, one.messages, one.own_reactions);
      for (const message of one.messages) take(known, message);
      if (one.conversation !== null) this.#takeConversation(known, one.conversation);
      known.rev = Math.max(known.rev, one.rev);
      held.set(one.conversation_id, one.rev);
    }
    if (has_more || synced.some((one) => one.has_more)) await this.#sync(held);
    else this.#synced(held);
  }

  #advance(known: KnownConversation, rev: number): void {
    if (this.#isSynced) known.rev = Math.max(known.rev, rev);
    else known.liveRev = Math.max(known.liveRev, rev);
  }

  /** [STS2] What came live follows what `sync` brought. */
  #synced(held: Map<ConversationId, number>): void {
    this.#isSynced = true;
    for (const [id, known] of this.known) {
      known.rev = Math.max(known.rev, known.liveRev);
      known.syncedRev = known.members?.has(this.user) ? (held.get(id) ?? 0) : 0;
      const first = known.revs[0];
      if (first !== undefined) this.#followsSync(known, id, first);
    }
    for (const apply of this.#early.splice(0)) apply();
  }

  #followsSync(known: KnownConversation, id: string, first: number): void {
    if (known.syncedRev === 0 || first <= known.syncedRev + 1) return;
    this.complaints.push(`conversation ${id}: synced to ${known.syncedRev}, then heard ${first}`);
  }

  #onAck(event: ClientEventName, asked: object, value: Record<string, unknown>): void {
    if (event === "send_message" || event === "edit_message" || event === "delete_message") {
      const message = value["message"] as Message;
      const known = this.conversation(message.conversation_id as ConversationId);
      this.#isAcked(known, message);
      take(known, message);
    }
    if (event === "react") this.#onReacted(asked as ClientPayload<"react">, value as Reacted);
    if (event === "join_conversation") {
      const { conversation, messages, own_reactions, typing } = value as unknown as {
        conversation: Conversation;
        messages: Message[];
        own_reactions?: OwnReactions[];
        typing: string[];
      };
      const known = this.conversation(conversation.id as ConversationId);
      takeOwn(known, messages, own_reactions);
      for (const message of messages) take(known, message);
      this.#takeConversation(known, conversation);
      known.rev = Math.max(known.rev, conversation.rev);
      known.revs = [conversation.rev];
      known.isLeft = false;
      known.typing = new Set(typing.filter((user) => user !== this.user));
    }
    if (event === "leave_conversation") this.#leaves(asked as ClientPayload<"leave_conversation">);
    if (event === "watch_presence") {
      for (const status of value["statuses"] as Status[]) {
        this.statuses.set(status.user_id, status.status);
      }
    }
  }

  #leaves({ conversation_id }: ClientPayload<"leave_conversation">): void {
    const known = this.conversation(conversation_id as ConversationId);
    known.typing.clear();
    known.revs.length = 0;
    known.syncedRev = 0;
    known.isLeft = true;
  }

  #onEvent(name: string, body: unknown): void {
    const atMs = this.#world.clock.nowMs();
    this.heard.push({ name, body, atMs });
    switch (name) {
      case "message":
      case "message_updated": {
        const message = body as Message;
        const known = this.conversation(message.conversation_id as ConversationId);
        this.#follows(known, message.conversation_id, message.rev);
        this.#isAllowed(name, message.conversation_id as ConversationId, message.rev);
        take(known, message);
        this.#advance(known, message.rev);
        return;
      }
      case "reaction":
        this.#onReaction(body as ServerPayload<"reaction">);
        return;
      case "conversation_updated": {
        const conversation = body as Conversation;
        const known = this.conversation(conversation.id as ConversationId);
        this.#follows(known, conversation.id, conversation.rev);
        const wasMember = known.members?.has(this.user) === true;
        this.#takeConversation(known, conversation);
        if (known.members?.has(this.user)) {
          known.isLeft = false;
          if (!wasMember) takenInAgain(known, conversation);
          this.#advance(known, conversation.rev);
        } else forget(known);
        return;
      }
      case "conversation_activity": {
        const { conversation_id, rev } = body as { conversation_id: ConversationId; rev: number };
        const known = this.conversation(conversation_id);
        if (rev < (known.revs.at(-1) ?? 0)) {
          this.complaints.push(`activity ${rev} of ${conversation_id}, which went further`);
        }
        // What lies between is the client's to read; an event after this follows it.
        known.revs = [rev];
        return;
      }
      case "typing": {
        const { conversation_id, user_id, is_typing } = body as {
          conversation_id: ConversationId;
          user_id: string;
          is_typing: boolean;
        };
        const { typing } = this.conversation(conversation_id);
        this.#isAllowed("typing", conversation_id, null);
        if (user_id === this.user) this.complaints.push("was told of its own typing");
        if (is_typing) typing.add(user_id);
        else typing.delete(user_id);
        return;
      }
      case "user_status":
        this.#onStatus(body as Status);
        return;
      default:
        return;
    }
  }

  #onStatus(status: Status): void {
    const { user_id } = status;
    this.heardStatuses.push(status);
    if (this.statuses.get(user_id) === status.status) {
      this.complaints.push(`user ${user_id} is ${status.status}, said twice`);
    }
    const { clients, clock } = this.#world;
    const isThere = clients.some(
      (client) =>
        client.user === user_id &&
        client.isConnected &&
        clock.nowMs() - client.readySinceMs > HEARSAY_MS,
    );
    if (status.status === "offline" && isThere) {
      this.complaints.push(`user ${user_id} is offline, it says, and has a session`);
    }
    this.statuses.set(user_id, status.status);
  }

  /** [ISO1] `rev` null: an event that is not durable. */
  #isAllowed(name: string, id: ConversationId, rev: number | null): void {
    const records = this.#world.membershipsOf(id);
    const record =
      rev === null
        ? records.findLast(({ atMs }) => atMs <= this.#world.clock.nowMs() - HEARSAY_MS)
        : records.findLast((one) => one.rev <= rev);
    // A member sees the whole history, also of a time when they were none.
    const isNow = records.at(-1)?.members.has(this.user) === true;
    if (record?.members.has(this.user) === false && !isNow) {
      this.complaints.push(`${name} ${rev ?? ""} of conversation ${id}, which is not theirs`);
    }
  }

  /** [STM1] Each rev follows the one before it, none skipped. */
  #follows(known: KnownConversation, id: string, rev: number): void {
    const last = known.revs.at(-1);
    if (this.#session?.isPartial) {
      if (known.ackedRevs.has(rev)) {
        this.complaints.push(`conversation ${id}: rev ${rev} came after its ack`);
      }
      const before = last ?? known.syncedRev;
      let next = before + 1;
      while (next < rev && known.ackedRevs.has(next)) next++;
      if (before > 0 && rev > next) {
        this.complaints.push(`conversation ${id}: rev ${rev} after ${last}`);
      }
    } else if (last === undefined) this.#followsSync(known, id, rev);
    else if (!isNext(last, rev, known.leftRevs)) {
      this.complaints.push(`conversation ${id}: rev ${rev} after ${last}`);
    }
    known.revs.push(rev);
  }

  /**
   * [STM2] The ack of an own change takes the place of its event, if that has not arrived; so does
   * an ack that says "duplicate", for after a worker's death the exchange may ask twice. An ack of a
   * change that an earlier session has received is ignored, also before `sync` is answered.
   */
  #isAcked(
    known: KnownConversation,
    { conversation_id, rev }: Pick<Message, "conversation_id" | "rev">,
  ): void {
    if (this.#session?.isPartial) {
      known.ackedRevs.add(rev);
      return;
    }
    if (known.isLeft) known.leftRevs.add(rev);
    if (known.isLeft || rev <= (known.revs.at(-1) ?? Math.max(known.syncedRev, known.rev))) return;
    this.#follows(known, conversation_id, rev);
  }

  #onReaction(event: ServerPayload<"reaction">): void {
    const { rev, changes } = event;
    const id = event.conversation_id as ConversationId;
    const known = this.conversation(id);
    if (changes.length > REACTION_CHANGES_MAX) this.complaints.push(`${changes.length} changes`);
    this.#follows(known, id, rev);
    this.#isAllowed("reaction", id, rev);
    this.#advance(known, rev);
    const apply = () => applyReaction(known, event, this.user);
    if (this.#isSynced) apply();
    else this.#early.push(apply);
  }

  #onReacted({ conversation_id, seq }: ClientPayload<"react">, answer: Reacted): void {
    const { rev, reactions, own } = answer;
    if (rev === undefined) return;
    const known = this.conversation(conversation_id as ConversationId);
    this.#isAcked(known, { conversation_id, rev });
    const apply = () => {
      const before = known.messages.get(seq);
      if (before !== undefined && before.rev >= rev) return;
      knowOwn(known, seq, own);
      if (before !== undefined) take(known, withReactions({ ...before, rev }, reactions));
    };
    if (this.#isSynced) apply();
    else this.#early.push(apply);
  }

  #takeConversation(known: KnownConversation, conversation: Conversation): void {
    known.members = new Set(conversation.members.map(({ user_id }) => user_id));
  }

  /** The far end of the connection: what is written to it has arrived. */
  #connection(id: SessionId): NearConnection {
    return new NearConnection((text) => {
      if (this.#session?.id !== id || this.#worker?.isDead === true) return;
      const [name, body] = JSON.parse(text.slice(1)) as [string, unknown];
      this.#onEvent(name, body);
    });
  }
}
