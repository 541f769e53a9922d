/**
 * The real client SDK in a simulated cluster: its socket and HTTP are lines with seeded delays
 * that can be cut at any moment, its far end is the real edge of a simulated worker. A cut is
 * noticed late, by each side in its own time, and what was on its way is lost.
 */
import { type Client, createClient } from "../../src/client/client.ts";
import { onMessage } from "../../src/client/fresh.ts";
import type { ClientPorts, SocketHandlers, SocketPort } from "../../src/client/ports.ts";
import { createPresence, type Presence } from "../../src/client/presence.ts";
import { createTyping, type Typing } from "../../src/client/typing.ts";
import type { AckSink } from "../../src/edge/commands/ack-sink.ts";
import type { Commands } from "../../src/edge/commands/handler.ts";
import { Session } from "../../src/edge/session/session.ts";
import { SessionLimits } from "../../src/edge/session/session-limits.ts";
import { WriteBatcher } from "../../src/edge/transport/write-batcher.ts";
import { REFUSALS, type Result } from "../../src/protocol/errors.ts";
import type {
  ClientAck,
  ClientEventName,
  ClientPayload,
  ServerEventName,
  ServerPayload,
} from "../../src/protocol/events.ts";
import type { SessionId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId, type Message } from "../../src/protocol/schemas.ts";
import { isoOf } from "../../src/protocol/time.ts";
import type { SimWorker, World } from "./actor-world.ts";
import { expiring } from "./far-end.ts";
import { NearConnection } from "./near-connection.ts";

const LINE_DELAY_MS_MAX = 15;
const NOTICED_MS_MAX = 400;
/** One HTTP call in so many fails. */
const HTTP_FAILS_ONE_IN = 8;

let sessionsMade = 0;
let clientIdsMade = 0;

/** One connection, from the client's `open` to its end. */
class SimConnection {
  readonly #world: World;
  readonly #worker: SimWorker;
  readonly #handlers: SocketHandlers;
  readonly #session: Session;
  readonly #pending = new Set<() => void>();
  #upAtMs = 0;
  #downAtMs = 0;
  /** Nothing passes any more, in either direction. */
  isCut = false;

  constructor(world: World, user: UserId, worker: SimWorker, handlers: SocketHandlers) {
    this.#world = world;
    this.#worker = worker;
    this.#handlers = handlers;
    const id = `sdk${++sessionsMade}` as SessionId;
    const expiry = expiring(world.clock, 1e9);
    const session = new Session({
      id,
      identity: { userId: user, family: null, issuedAtMs: null, ...expiry },
      connection: new NearConnection((text) => this.#heard(text)),
      limits: new SessionLimits(null, user),
      contract: "1.1",
      host: {
        turn: new WriteBatcher(),
        ended: () => this.#closedByServer(),
        slow: () => undefined,
      },
    });
    this.#session = session;
    const { sessions } = worker.edge;
    sessions.open(session).then(
      (opening) => {
        if (worker.isDead || session.isEnded || opening === null) return;
        session.begin({
          user: opening.user,
          session_id: id,
          server_time: isoOf(world.clock.wallMs()),
          token_expires_at: isoOf(expiry.expiresAtMs),
          unread: {
            notifications: 0,
            conversations: [...opening.unread, ...opening.unreadThreads],
          },
        });
        sessions.begun(session, opening);
      },
      () => this.#closedByServer(),
    );
  }

  get worker(): SimWorker {
    return this.#worker;
  }

  /** The line is dead: both sides find out, each in its time. */
  cut(tellClient: boolean): void {
    if (this.isCut) return;
    this.isCut = true;
    const { clock, chance } = this.#world;
    clock.after(chance(NOTICED_MS_MAX), () => this.#closeSession());
    clock.after(tellClient ? chance(NOTICED_MS_MAX) : 0, () => {
      for (const lost of this.#pending) lost();
      if (tellClient) this.#handlers.onClosed("cut");
    });
  }

  ask<E extends ClientEventName>(
    event: E,
    payload: ClientPayload<E>,
    deadlineMs: number,
    take: (answer: Result<ClientAck<E>>) => void,
  ): void {
    const settle = (answer: Result<ClientAck<E>>): void => {
      if (!this.#pending.delete(lost)) return;
      cancel();
      take(answer);
    };
    const lost = (): void => settle(REFUSALS.unavailable);
    const cancel = this.#world.clock.after(deadlineMs, lost);
    this.#pending.add(lost);
    if (this.isCut) return;
    const sink: AckSink = {
      ok: (body) => this.#down(() => settle({ ok: true, value: JSON.parse(body) })),
      refuse: (error) => this.#down(() => settle({ ok: false, error })),
    };
    this.#up(() => {
      const handle = this.#worker.edge.commands[event] as Commands[E];
      handle(this.#session, payload, sink)?.catch(() => sink.refuse(REFUSALS.unavailable.error));
    });
  }

  #closedByServer(): void {
    this.#closeSession();
    this.cut(true);
  }

  #closeSession(): void {
    if (!this.#worker.isDead) this.#worker.edge.sessions.close(this.#session);
  }

  /** In order, each late by chance; lost when the line is cut meanwhile. */
  #up(deliver: () => void): void {
    const { clock, chance } = this.#world;
    this.#upAtMs = Math.max(this.#upAtMs, clock.nowMs() + chance(LINE_DELAY_MS_MAX));
    clock.after(this.#upAtMs - clock.nowMs(), () => {
      if (!this.isCut && !this.#worker.isDead && !this.#session.isEnded) deliver();
    });
  }

  #down(deliver: () => void): void {
    const { clock, chance } = this.#world;
    this.#downAtMs = Math.max(this.#downAtMs, clock.nowMs() + chance(LINE_DELAY_MS_MAX));
    clock.after(this.#downAtMs - clock.nowMs(), () => {
      if (!this.isCut) deliver();
    });
  }

  #heard(text: string): void {
    if (this.#worker.isDead) return;
    const [name, body] = JSON.parse(text.slice(1)) as [
      ServerEventName,
      ServerPayload<ServerEventName>,
    ];
    this.#down(() => this.#handlers.onEvent(name, body));
  }
}

export class SimSdk {
  readonly user: UserId;
  readonly client: Client;
  readonly presence: Presence;
  readonly typing: Typing;
  /** What `onMessage` told, by conversation. */
  readonly told = new Map<string, Message[]>();
  readonly errors: unknown[] = [];
  readonly #world: World;
  #connection: SimConnection | null = null;
  #isNetworkAway = false;

  constructor(world: World, user: UserId) {
    this.#world = world;
    this.user = user;
    const ports: ClientPorts = {
      clock: world.clock,
      random: () => world.chance(1_000) / 1_000,
      url: "",
      newClientId: () => `sdk-${++clientIdsMade}`,
      makeSocket: (handlers) => this.#makeSocket(handlers),
      call: (method, path) => this.#call(method, path),
    };
    const options = {
      getToken: () => "token",
      onError: (error: unknown) => this.errors.push(error),
    };
    this.client = createClient(options, ports);
    this.presence = createPresence(this.client, ports);
    this.typing = createTyping(this.client, world.clock);
    onMessage(this.client, (message) => {
      const told = this.told.get(message.conversation_id) ?? [];
      told.push(message);
      this.told.set(message.conversation_id, told);
    });
  }

  get isOnline(): boolean {
    return this.client.connection.get().is === "online";
  }

  get worker(): SimWorker | null {
    return this.#connection?.isCut === false ? this.#connection.worker : null;
  }

  /** Everything in transit is lost, and nothing can be reached until `returns`. */
  losesNetwork(): void {
    this.#isNetworkAway = true;
    this.#connection?.cut(true);
  }

  returns(): void {
    this.#isNetworkAway = false;
  }

  /** One connection is lost; the next can be made at once. */
  drops(): void {
    this.#connection?.cut(true);
  }

  workerDied(worker: SimWorker): void {
    if (this.#connection?.worker === worker) this.#connection.cut(true);
  }

  #makeSocket(handlers: SocketHandlers): SocketPort {
    const { clock, chance } = this.#world;
    let opened = 0;
    // What an earlier connection still has to say is of no interest to this one.
    const only = (mine: number): SocketHandlers => ({
      onEvent: (name, payload) => {
        if (mine === opened) handlers.onEvent(name, payload);
      },
      onClosed: (detail) => {
        if (mine === opened) handlers.onClosed(detail);
      },
      onRefused: handlers.onRefused,
    });
    return {
      open: () => {
        const mine = ++opened;
        clock.after(1 + chance(LINE_DELAY_MS_MAX), () => {
          if (mine !== opened) return;
          const { alive } = this.#world;
          if (this.#isNetworkAway || alive.length === 0) {
            handlers.onRefused(null, "unreachable");
            return;
          }
          const worker = alive[chance(alive.length)]!;
          this.#connection = new SimConnection(this.#world, this.user, worker, only(mine));
        });
      },
      close: () => {
        opened++;
        this.#connection?.cut(false);
        this.#connection = null;
      },
      ask: (event, payload, deadlineMs, take) => {
        if (this.#connection === null) take(REFUSALS.unavailable);
        else this.#connection.ask(event, payload, deadlineMs, take);
      },
    };
  }

  /** The calls that the client makes over HTTP, each with a moment between read and answer. */
  async #call(method: string, path: string): Promise<Result<unknown>> {
    await this.#passes();
    if (this.#isNetworkAway || this.#world.chance(HTTP_FAILS_ONE_IN) === 0) {
      return REFUSALS.unavailable;
    }
    const value = await this.#read(method, new URL(path, "http://sim"));
    await this.#passes();
    if (this.#isNetworkAway) return REFUSALS.unavailable;
    if (value === null) return REFUSALS.conversationNotFound;
    return isResult(value) ? value : { ok: true, value };
  }

  #read(method: string, { pathname, searchParams }: URL): Promise<unknown> {
    const { queries } = this.#world.storage;
    const limit = Number(searchParams.get("limit") ?? 50);
    const messagesOf = pathname.match(/^\/api\/conversations\/(\d+)\/messages$/)?.[1];
    if (method === "GET" && messagesOf !== undefined) {
      const seqOf = (name: string) => {
        const seq = searchParams.get(name);
        return seq === null ? null : Number(seq);
      };
      const [beforeSeq, afterSeq] = [seqOf("before_seq"), seqOf("after_seq")];
      const window = { beforeSeq, afterSeq, limit };
      const page = queries.history(this.user, asConversationId(messagesOf), window);
      return page.then((found) => found?.value() ?? null);
    }
    if (method === "GET" && pathname === "/api/conversations") {
      return queries.conversations(this.user, limit, searchParams.get("cursor"));
    }
    if (method === "GET" && pathname === "/api/threads") {
      return queries.threads(this.user, false, limit, searchParams.get("cursor"));
    }
    const [, id, seq, what] =
      pathname.match(/^\/api\/conversations\/(\d+)(?:\/messages\/(\d+))?\/(thread|follow)$/) ?? [];
    if (id !== undefined) return this.#asksThread(method, id, Number(seq), what === "follow");
    throw new Error(`the simulation has no ${method} ${pathname}`);
  }

  /** As an edge does for the routes of threads. */
  async #asksThread(
    method: string,
    id: string,
    seq: number,
    isFollow: boolean,
  ): Promise<Result<unknown>> {
    const { alive, chance } = this.#world;
    const worker = alive[chance(alive.length)];
    if (worker === undefined) return REFUSALS.unavailable;
    const { gateway } = worker.edge.exchange;
    const acting = { user: this.user, session: "" as const };
    const answer = isFollow
      ? await gateway.ask("conversation", id, "follow", { ...acting, on: method === "POST" })
      : await gateway.ask("conversation", id, "create_thread", { ...acting, seq });
    return answer.ok ? { ok: true, value: answer.value.conversation } : answer;
  }

  #passes(): Promise<void> {
    const { clock, chance } = this.#world;
    return new Promise((resolve) => {
      clock.after(chance(LINE_DELAY_MS_MAX), resolve);
    });
  }
}

const isResult = (value: unknown): value is Result<unknown> =>
  typeof value === "object" && value !== null && "ok" in value;
