/**
 * A client of the contract that records everything: it connects to any host, reconnects with
 * jitter, renews its token in place, syncs after every connect, and repeats a send under its
 * `client_id` until it is acknowledged.
 *
 * resting → connecting → live → (waiting → connecting …) ; `rest` and `retire` end it.
 */
import type {
  ClientAck,
  ClientEventName,
  ClientPayload,
  ServerPayload,
} from "../../src/protocol/events.ts";
import type { Prefs } from "../../src/protocol/prefs.ts";
import type {
  Conversation,
  Cursors,
  Message,
  Receipt,
  Status,
} from "../../src/protocol/schemas.ts";
import { type Asked, factsOf } from "./asked.ts";
import type { Chance } from "./chance.ts";
import type { Rec, Recorder, Via } from "./history.ts";
import type { Login } from "./login.ts";
import { factOf, membersOf, Replica } from "./replica.ts";
import { Wire } from "./wire.ts";

/** Longer than any bounded wait of the server: after it an answer counts as missing. */
const ANSWER_MS = 15_000;
const RETRY_PAUSE_MS = 60;
const BACK_FIRST_MS = 60;
const BACK_MAX_MS = 1000;
const RENEW_CHECK_MS = 1000;
const SYNC_ROUNDS_MAX = 100;

type State =
  | { at: "resting" }
  | { at: "waiting"; timer: NodeJS.Timeout }
  | { at: "connecting"; wire: Wire | null }
  | { at: "live"; wire: Wire; host: number; sinceMs: number };

export type Outcome<E extends ClientEventName> =
  | { ok: true; answer: ClientAck<E> }
  | { ok: false; code: string };

export interface ClientOptions {
  index: number;
  name: string;
  /** What its sessions speak. */
  contract: "1" | "1.1";
  login: Login;
  ports: number[];
  chance: Chance;
  recorder: Recorder;
}

export class Client {
  readonly index: number;
  readonly name: string;
  readonly contract: "1" | "1.1";
  readonly login: Login;
  readonly replica: Replica;
  readonly #ports: number[];
  readonly #chance: Chance;
  readonly #recorder: Recorder;
  #state: State = { at: "resting" };
  #failures = 0;
  #ops = 0;
  #connections = 0;
  /** The connection of a session that has begun; its end is recorded. */
  #liveWire: Wire | null = null;
  #isSynced = false;
  #watched: string[] = [];
  readonly #renewal: NodeJS.Timeout;
  /** When it last came to rest. Its user may still look online for a while after that. */
  restingSinceMs = 0;

  constructor(options: ClientOptions) {
    this.index = options.index;
    this.name = options.name;
    this.contract = options.contract;
    this.login = options.login;
    this.replica = new Replica(options.login.userId);
    this.#ports = options.ports;
    this.#chance = options.chance;
    this.#recorder = options.recorder;
    this.#renewal = setInterval(() => void this.#renewInPlace(), RENEW_CHECK_MS);
  }

  get user(): string {
    return this.login.userId;
  }
  get isLive(): boolean {
    return this.#state.at === "live";
  }
  /** Whether it is live and has caught up with what came while it was away. */
  get isSettled(): boolean {
    return this.isLive && this.#isSynced;
  }
  /** False while it does not read its socket; then none of its commands can be answered. */
  get isReading(): boolean {
    return this.#state.at !== "live" || this.#state.wire.isReading;
  }
  get isResting(): boolean {
    return this.#state.at === "resting";
  }
  /** Rises with every session. */
  get connection(): number {
    return this.isLive ? this.#connections : -1;
  }
  hasRestedFor(ms: number): boolean {
    return this.isResting && this.#recorder.nowMs() - this.restingSinceMs > ms;
  }
  /** For how many milliseconds it has been live; 0 when it is not. */
  liveForMs(nowMs: number): number {
    return this.#state.at === "live" ? nowMs - this.#state.sinceMs : 0;
  }
  get host(): number | null {
    return this.#state.at === "live" ? this.#state.host : null;
  }

  /** Sets whose presence it watches from the next connect on. */
  watches(users: string[]): void {
    this.#watched = users;
  }

  /** Connects, and reconnects until `rest`. */
  begin(): void {
    if (this.#state.at === "resting") this.#connect();
  }

  /** Ends the session with a DISCONNECT packet, until `begin`. */
  rest(): void {
    const before = this.#state;
    this.#state = { at: "resting" };
    this.restingSinceMs = this.#recorder.nowMs();
    if (before.at === "waiting") clearTimeout(before.timer);
    if (before.at === "live" || before.at === "connecting") before.wire?.close();
  }

  /**
   * Breaks the connection without a DISCONNECT packet; with `atOnce` it reconnects without delay.
   */
  drop(atOnce: boolean): void {
    if (this.#state.at !== "live") return;
    if (atOnce) this.#failures = -1;
    this.#state.wire.drop();
  }

  retire(): void {
    clearInterval(this.#renewal);
    this.rest();
  }

  stopReading(): void {
    if (this.#state.at !== "live") return;
    this.#add({ kind: "reading", isReading: false });
    this.#state.wire.stopReading();
  }

  goOnReading(): void {
    if (this.#state.at !== "live") return;
    this.#add({ kind: "reading", isReading: true });
    this.#state.wire.goOnReading();
  }

  /** Tries once; answers `cut_off` when there is no connection or it ends first. */
  async does<E extends ClientEventName>(name: E, payload: ClientPayload<E>): Promise<Outcome<E>> {
    return this.#try(this.#ops++, name, payload);
  }

  /** Repeats under one `client_id` until it is acknowledged, refused, or `mayGoOn` says no. */
  async sends(conversation: string, body: string, mayGoOn: () => boolean): Promise<boolean> {
    const op = this.#ops++;
    const client_id = `${this.name}-${op}`;
    const payload = { conversation_id: conversation, client_id, body };
    while (mayGoOn()) {
      if (this.isLive) {
        const outcome = await this.#try(op, "send_message", payload);
        if (outcome.ok) return true;
        if (!["cut_off", "unanswered", "unavailable", "internal"].includes(outcome.code))
          return false;
      }
      await this.#pause();
    }
    return false;
  }

  #try<E extends ClientEventName>(
    op: number,
    name: E,
    payload: ClientPayload<E>,
  ): Promise<Outcome<E>> {
    const state = this.#state;
    if (state.at !== "live") return Promise.resolve({ ok: false, code: "cut_off" });
    const asked = payload as Asked;
    const conversation = asked.conversation_id ?? "";
    const atMs = this.#add({
      kind: "tried",
      op,
      name,
      conversation,
      ...factsOf(asked),
    });
    const knownSeq = this.replica.lastSeqOf(conversation);
    return new Promise((resolve) => {
      state.wire.emit(name, payload, ANSWER_MS, (reply) => {
        const ms = Math.round((this.#recorder.nowMs() - atMs) * 10) / 10;
        // The client does not read its socket, so the answer may be there, or the session may be
        // over.
        const isDeaf = reply.outcome === "late" && !state.wire.isReading;
        if (reply.outcome === "cut_off" || isDeaf) {
          this.#add({ kind: "cut_off", op, name });
          resolve({ ok: false, code: "cut_off" });
        } else if (reply.outcome === "late") {
          this.#add({ kind: "unanswered", op, name, ms });
          resolve({ ok: false, code: "unanswered" });
        } else {
          const answer = reply.payload as { ok: boolean; error?: { code: string } };
          const code = answer.error?.code ?? "";
          this.#add({ kind: "answered", op, name, ok: answer.ok, code, ms });
          if (answer.ok) this.#learn(name, asked, answer, knownSeq);
          resolve(
            answer.ok
              ? { ok: true, answer: answer as unknown as ClientAck<E> }
              : { ok: false, code },
          );
        }
      });
    });
  }

  /** `knownSeq`: the newest message that the client knew when it asked. */
  #learn(name: ClientEventName, asked: Asked, answer: object, knownSeq: number): void {
    const conversation = asked.conversation_id ?? "";
    if (name === "send_message" || name === "edit_message" || name === "delete_message") {
      const { message, duplicate } = answer as { message: Message; duplicate?: true };
      this.#onMessage(duplicate ? "duplicate" : "ack", name, message);
    } else if (name === "mark_read" || name === "mark_delivered") {
      const { delivered_seq, read_seq, unread_count } = answer as Cursors & {
        unread_count?: number;
      };
      this.replica.read(conversation, read_seq);
      this.#add({
        kind: "marked",
        conversation,
        deliveredSeq: delivered_seq,
        readSeq: read_seq,
        ...(unread_count === undefined ? {} : { unreadCount: unread_count }),
        knownSeq,
      });
    } else if (name === "react") {
      const { rev, reactions } = answer as ClientAck<"react">;
      if (rev === undefined) return;
      const seq = asked.seq ?? 0;
      this.replica.applyReactions(conversation, seq, rev, reactions, true);
      this.#add({ kind: "change", via: "ack", name, conversation, rev, seq });
    } else if (name === "set_prefs") {
      const prefs = answer as Prefs & { ok?: true };
      delete prefs.ok;
      this.#onPrefs(prefs, "ack");
    } else if (name === "sync") {
      this.#onSync(asked.conversations ?? [], answer as ClientAck<"sync">);
    } else if (name === "watch_presence") {
      for (const { user_id, status } of (answer as { statuses: Status[] }).statuses) {
        this.#add({ kind: "status", user: user_id, status, via: "ack" });
      }
    }
  }

  #connect(): void {
    this.#state = { at: "connecting", wire: null };
    this.#isSynced = false;
    const host = this.#chance(this.#ports.length);
    void this.#freshToken(this.#ports[host]!).then(() => {
      if (this.#state.at !== "connecting" || this.#state.wire !== null) return;
      let session = "";
      const wire = new Wire(this.#ports[host]!, this.login.token, this.contract, {
        connected: (id) => {
          session = id;
        },
        refused: (code) => {
          this.#add({ kind: "refused_connect", host, code });
          if (code === "unauthorized" || code === "token_expired") {
            void this.login.renew(this.#ports[host]!);
          }
        },
        event: (name, payload) => {
          if (name === "ready") this.#onReady(wire, host, session, payload);
          else this.#onEvent(name, payload);
        },
        closed: (reason) => this.#onClosed(wire, reason),
      });
      this.#state = { at: "connecting", wire };
    });
  }

  #onReady(wire: Wire, host: number, session: string, payload: unknown): void {
    if (this.#state.at !== "connecting") return;
    this.replica.applyUnread((payload as ServerPayload<"ready">).unread);
    this.#state = { at: "live", wire, host, sinceMs: this.#recorder.nowMs() };
    this.#connections++;
    this.#failures = 0;
    this.#liveWire = wire;
    this.#add({ kind: "connected", host, session });
    void this.#catchUp(wire);
  }

  #onClosed(wire: Wire, reason: string): void {
    const before = this.#state;
    const isCurrent = "wire" in before && before.wire === wire;
    // A client at rest has sent DISCONNECT itself; its session ends now as well.
    if (this.#wasLive(wire)) this.#add({ kind: "disconnected", reason });
    if (!isCurrent) return;
    this.#failures++;
    const ceilingMs = Math.min(BACK_MAX_MS, BACK_FIRST_MS * 2 ** Math.max(0, this.#failures));
    this.#wait(this.#failures <= 0 ? 0 : 1 + this.#chance(ceilingMs));
  }

  #wasLive(wire: Wire): boolean {
    const is = this.#liveWire === wire;
    if (is) this.#liveWire = null;
    return is;
  }

  #wait(ms: number): void {
    this.#state = { at: "waiting", timer: setTimeout(() => this.#connect(), ms) };
  }

  async #catchUp(wire: Wire): Promise<void> {
    this.replica.beginCatchUp();
    if (this.#watched.length > 0) void this.does("watch_presence", { user_ids: this.#watched });
    for (let rounds = 0; rounds < SYNC_ROUNDS_MAX; rounds++) {
      const isCurrent = this.#state.at === "live" && this.#state.wire === wire;
      if (!isCurrent) return;
      const outcome = await this.does("sync", {
        conversations: this.replica.cursors(),
        ...(this.contract === "1.1" && { prefs_after_rev: this.replica.prefsRev }),
      });
      if (!outcome.ok) {
        await this.#pause();
        continue;
      }
      const isWhole =
        !outcome.answer.has_more && outcome.answer.conversations.every((one) => !one.has_more);
      if (isWhole) {
        this.#isSynced = true;
        this.replica.endCatchUp();
        return;
      }
    }
  }

  #onSync(
    cursors: { conversation_id: string; after_rev: number }[],
    answer: ClientAck<"sync">,
  ): void {
    this.replica.applySync(answer);
    const asked = new Map(cursors.map((one) => [one.conversation_id, one.after_rev]));
    const conversations = answer.conversations.map((one) => ({
      conversation: one.conversation_id,
      afterRev: asked.get(one.conversation_id) ?? null,
      rev: one.rev,
      messages: one.messages.map(({ seq, rev }): [number, number] => [seq, rev]),
      // A thread names its reader alone, and following takes no rev.
      ...(one.conversation === null || one.conversation.parent !== undefined
        ? {}
        : { members: membersOf(one.conversation) }),
      hasMore: one.has_more,
      reset: one.reset,
    }));
    const named = new Set([...conversations.map((one) => one.conversation), ...answer.removed]);
    const unchanged = [...asked].filter(([id]) => !named.has(id));
    this.#add({
      kind: "synced",
      conversations,
      unchanged,
      removed: answer.removed,
      hasMore: answer.has_more,
      ...(answer.prefs === undefined ? {} : { prefsRev: this.replica.prefsRev }),
    });
  }

  #onEvent(name: string, payload: unknown): void {
    switch (name) {
      case "message":
      case "message_updated":
        this.#onMessage("event", name, payload as Message);
        return;
      case "conversation_updated": {
        const conversation = payload as Conversation;
        this.replica.applyConversation(conversation);
        // Following takes no rev.
        if (conversation.parent !== undefined) {
          this.#add({ kind: "newer", name: "thread", conversation: conversation.id });
          return;
        }
        const members = membersOf(conversation);
        const { id, rev } = conversation;
        this.#add({ kind: "change", via: "event", name, conversation: id, rev, members });
        return;
      }
      case "receipt": {
        const { conversation_id, user_id, delivered_seq, read_seq } = payload as Receipt;
        if (user_id === this.user) this.replica.read(conversation_id, read_seq);
        this.#add({
          kind: "receipt",
          conversation: conversation_id,
          user: user_id,
          deliveredSeq: delivered_seq,
          readSeq: read_seq,
        });
        return;
      }
      case "typing": {
        const typing = payload as { conversation_id: string; user_id: string; is_typing: boolean };
        const { conversation_id: conversation, user_id: user, is_typing: isTyping } = typing;
        this.#add({ kind: "typing", conversation, user, isTyping });
        return;
      }
      case "reaction": {
        const { conversation_id, seq, rev, changed } = payload as ServerPayload<"reaction">;
        this.replica.applyReactions(conversation_id, seq, rev, changed, false);
        this.#add({ kind: "newer", name, conversation: conversation_id });
        this.#add({ kind: "change", via: "event", name, conversation: conversation_id, rev, seq });
        return;
      }
      case "prefs_updated":
        this.#onPrefs(payload as Prefs, "event");
        return;
      case "user_status": {
        const { user_id: user, status } = payload as Status;
        this.#add({ kind: "status", user, status, via: "event" });
        return;
      }
      case "session_ended": {
        const { code } = payload as { code: string };
        this.#add({ kind: "told", what: "session_ended", code });
        return;
      }
      case "server_draining":
        this.#onDraining((payload as { reconnect_in_ms: number }).reconnect_in_ms);
        return;
      default:
        return;
    }
  }

  #onPrefs(prefs: Prefs, via: "event" | "ack"): void {
    const { conversation_id: conversation, prefs_rev: rev } = prefs;
    if (via === "event") this.#add({ kind: "newer", name: "prefs_updated", conversation });
    this.replica.applyPrefs(prefs, true);
    this.#add({ kind: "prefs", via, conversation, rev });
  }

  /** Reconnects after the delay that the server gave it, so that the next host is not overrun. */
  #onDraining(inMs: number): void {
    this.#add({ kind: "told", what: "server_draining", code: "" });
    const state = this.#state;
    if (state.at !== "live") return;
    setTimeout(() => {
      if (this.#state === state) state.wire.close();
    }, inMs).unref();
  }

  #onMessage(via: Via, name: string, message: Message): void {
    const { conversation_id: conversation, rev } = message;
    // Deleting a message that is already deleted answers it unchanged.
    const isOld = name === "delete_message" && this.replica.knows(message);
    this.replica.applyMessage(message, via !== "event");
    const as = via === "ack" && isOld ? "duplicate" : via;
    this.#add({ kind: "change", via: as, name, conversation, rev, message: factOf(message) });
  }

  async #freshToken(port: number): Promise<void> {
    if (this.login.isStale) await this.login.renew(port);
  }

  async #renewInPlace(): Promise<void> {
    const state = this.#state;
    if (state.at !== "live" || !this.isReading || !this.login.isStale) return;
    if (!(await this.login.renew(this.#ports[state.host]!))) return;
    if (this.#state === state) await this.does("refresh_token", { token: this.login.token });
  }

  #pause(): Promise<void> {
    return new Promise((done) => setTimeout(done, RETRY_PAUSE_MS + this.#chance(RETRY_PAUSE_MS)));
  }

  /** Returns the record's time. */
  #add(rec: DistributedOmit<Extract<Rec, { client: number }>, "client" | "atMs">): number {
    const atMs = this.#recorder.nowMs();
    this.#recorder.add({ ...rec, atMs, client: this.index } as Rec);
    return atMs;
  }
}

type DistributedOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
