/**
 * The application's own Socket.IO namespaces on one edge: lets users in by Troupe's tokens, closes
 * their sockets as it closes sessions, and keeps the handlers' faults apart. Everything else is
 * Socket.IO's: rooms, acknowledgements, binary, broadcasts through the adapter.
 *
 * [NSP1] A token is looked at before `connection`; a refusal is `connect_error` with `err.data`.
 * [NSP2] Logout, suspension and expiry end a socket: `session_ended` says why, then it is
 *        disconnected. `refresh_token` exchanges the token before it expires, as for sessions.
 * [NSP3] A socket is no session: no presence, no `ready`, no stream.
 * [NSP4] An error of a handler, thrown or rejected, is logged and has no other effect.
 * [NSP5] Packets past RATE_LIMIT_NAMESPACE are refused; a socket that goes on is ended.
 * [NSP6] A reader that falls too far behind, and a user's oldest socket beyond the limit of
 *        sessions, are closed.
 * [NSP14] A reload of the application's files ends no socket.
 * [NSP15] A socket that comes while a namespace is being set up is let in when that is done, so it has
 *        its handlers; at no moment is one let in without a token.
 */
import type { Server, Socket } from "socket.io";
import type { NamespaceDefinition, TroupeNamespace } from "../../actor/api.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { TokenBucket } from "../../base/token-bucket.ts";
import type { WorkerConfig } from "../../config/config.ts";
import type { AccountStore } from "../../ports/edge.ts";
import { type ErrorObject, REFUSALS, refused } from "../../protocol/errors.ts";
import type { EndCode, ServerPayload } from "../../protocol/events.ts";
import type { FamilyId, UserId } from "../../protocol/ids.ts";
import { judge } from "../../protocol/policy.ts";
import { isoOf, msBetween } from "../../protocol/time.ts";
import type { Auth } from "../auth/auth.ts";
import { factsOf, type Identity, isCut } from "../auth/identity.ts";
import { type EdgeLimits, tooMany } from "../limits/limits.ts";
import { EngineConnection } from "../transport/engine-connection.ts";
import type { WriteBatcher } from "../transport/write-batcher.ts";
import { contain, release } from "./containing.ts";

/** How often tokens and readers are looked at; only while there are sockets. */
const LOOK_MS = 1_000;
const EXPIRY_NOTICE_MS = 60_000;
const QUEUE_BYTES_MAX = 1024 * 1024;
/** CONNECT packets of one connection; a client asks for each namespace once. */
const CONNECTS = { perS: 1, burst: 20 };

const NO_TOKEN = refused("unauthorized", "Send an access token in auth.token.").error;
const NO_USER = refused("unauthorized", "There is no such user.").error;

export interface NamespacesDeps {
  config: WorkerConfig;
  auth: Pick<Auth, "known" | "verify">;
  accounts: Pick<AccountStore, "byId">;
  limits: EdgeLimits;
  turn: WriteBatcher;
  clock: Clock;
  log: Log;
}

/** A namespace that an application's file has defined. */
export interface DefinedNamespace {
  file: string;
  definition: NamespaceDefinition;
}

interface Member {
  socket: Socket;
  file: string;
  identity: Identity;
  isExpiryAnnounced: boolean;
  isEnded: boolean;
}

/** The part of a connection that is used here; it is Engine.IO's, or a NamespaceCarrier. */
interface Conn {
  accepted?(): void;
  close(): void;
  once(event: "close", tell: () => void): void;
}

export class Namespaces {
  readonly #deps: NamespacesDeps;
  readonly #users = new Map<UserId, Set<Member>>();
  readonly #members = new WeakMap<Socket, Member>();
  readonly #connects = new WeakMap<object, TokenBucket>();
  readonly #connecting = new WeakMap<object, Set<string>>();
  #isDraining = false;
  #cancelLook: (() => void) | null = null;

  constructor(deps: NamespacesDeps) {
    this.#deps = deps;
  }

  /**
   * [NSP14] From now on new sockets have these handlers; those that are connected keep theirs. A
   * namespace that is not defined any more refuses new sockets.
   */
  async reload(
    io: Server,
    names: Set<string>,
    defined: readonly DefinedNamespace[],
  ): Promise<void> {
    for (const name of names) {
      const namespace = io.of(name);
      release(namespace);
      namespace.removeAllListeners();
      middlewareOf(namespace).length = 0;
      if (defined.some(({ definition }) => definition.name === name)) continue;
      namespace.use((_socket, next) => next(new Error("Invalid namespace")));
    }
    for (const { definition } of defined) names.add(definition.name);
    // [NSP15] In this turn of the event loop every namespace has its middleware again.
    await Promise.all(
      defined.map((one) =>
        this.#open(io, one).catch((fault: unknown) => this.failed(one.file, fault)),
      ),
    );
  }

  /** Rejects when an application's `setup` does. */
  async open(io: Server, defined: readonly DefinedNamespace[]): Promise<void> {
    for (const one of defined) await this.#open(io, one);
  }

  async #open(io: Server, { file, definition }: DefinedNamespace): Promise<void> {
    const namespace = io.of(definition.name) as unknown as TroupeNamespace;
    let isSetUp = (): void => undefined;
    const setUp = new Promise<void>((resolve) => {
      isSetUp = resolve;
    });
    namespace.use((socket, next) => {
      const client = socket as unknown as Socket;
      // Socket.IO runs those that were there when the socket came.
      const known = middlewareOf(namespace).length;
      this.#admit(client, file).then(
        (refusal) => {
          if (refusal === null) {
            void setUp.then(() => passes(middlewareOf(namespace).slice(known), client, next));
          } else next(Object.assign(new Error(refusal.message), { data: refusal }));
        },
        (err: unknown) => {
          this.#deps.log.warn({ event: "handshake_unavailable", err });
          next(
            Object.assign(new Error(REFUSALS.unavailable.error.message), {
              data: REFUSALS.unavailable.error,
            }),
          );
        },
      );
    });
    namespace.on("connection", (socket) => this.#connected(socket as unknown as Socket));
    contain(namespace, (fault) => this.failed(file, fault), refuseConnection);
    try {
      await definition.setup(namespace);
    } finally {
      isSetUp();
    }
  }

  /** [NSP4] Never throws. */
  failed(file: string, err: unknown): void {
    this.#deps.log.warn({ event: "namespace_failed", file, err });
  }

  endFamily(family: FamilyId, user: UserId): void {
    for (const member of this.#of(user)) {
      if (member.identity.family === family) {
        this.#end(member, "logged_out", "This login has ended.", false);
      }
    }
  }

  /** Ends those whose token was issued before that moment, as Unix time in milliseconds. */
  endBefore(user: UserId, cutMs: number): void {
    for (const member of this.#of(user)) {
      if (!isCut(member.identity.issuedAtMs, cutMs)) continue;
      this.#end(member, "logged_out", "This login has ended.", false);
    }
  }

  endUser(user: UserId): void {
    for (const member of this.#of(user)) {
      this.#end(member, "suspended", "This account is suspended.", false);
    }
  }

  /** Ends those whose token is refused by now. */
  recheck(isEnded: (family: FamilyId) => boolean): void {
    for (const member of this.#all()) {
      const { family } = member.identity;
      if (family !== null && isEnded(family)) {
        this.#end(member, "logged_out", "This login has ended.", false);
      }
    }
  }

  /** Tells each socket when to come back, and closes its connection at that moment. */
  drain(reconnectInMs: () => number, closesAfterMs: number): Promise<void> {
    const { clock } = this.#deps;
    this.#isDraining = true;
    const closed = this.#all().map((member) => {
      const reconnect_in_ms = reconnectInMs();
      member.socket.emit("server_draining", { reconnect_in_ms });
      return new Promise<void>((resolve) => {
        clock.after(reconnect_in_ms + closesAfterMs, () => {
          // A closed transport makes clients come back by themselves.
          connOf(member.socket).close();
          resolve();
        });
      });
    });
    return Promise.all(closed).then(() => undefined);
  }

  close(): void {
    this.#isDraining = true;
    this.#cancelLook?.();
    this.#cancelLook = null;
  }

  async #admit(socket: Socket, file: string): Promise<ErrorObject | null> {
    const { auth, accounts, limits, clock, config } = this.#deps;
    if (this.#isDraining) return REFUSALS.unavailable.error;
    const { client, nsp } = socket;
    const connects = this.#connects.get(client) ?? new TokenBucket(CONNECTS);
    this.#connects.set(client, connects);
    const pending = this.#connecting.get(client) ?? new Set();
    this.#connecting.set(client, pending);
    // One at a time: Socket.IO would make a socket of each CONNECT.
    if (!connects.take(clock.monotonicMs()) || pending.has(nsp.name)) {
      connOf(socket).close();
      return REFUSALS.unavailable.error;
    }
    pending.add(nsp.name);
    try {
      const token = tokenOf(socket);
      if (token === null) return NO_TOKEN;
      const verified = auth.known(token) ?? (await auth.verify(token, "connect"));
      if (!verified.ok) return verified.error;
      const identity = verified.value;
      const refusal = judge("connect", factsOf(identity)) ?? limits.handshake(identity.userId);
      if (refusal !== null) return refusal;
      const user = await accounts.byId(identity.userId);
      if (user === null) return NO_USER;
      socket.data = { user: { id: user.id, username: user.username } };
      const member = { socket, file, identity, isExpiryAnnounced: false, isEnded: false };
      this.#add(member);
      this.#endSurplus(identity.userId, config.sessionsPerUserMax);
      return null;
    } finally {
      pending.delete(nsp.name);
    }
  }

  #connected(socket: Socket): void {
    const member = this.#members.get(socket);
    if (member === undefined || member.isEnded) {
      socket.disconnect();
      return;
    }
    connOf(socket).accepted?.();
    socket.once("disconnect", () => this.#forget(member));
    socket.use((event, next) => this.#passes(member, event, next));
    contain(socket, (fault) => this.failed(member.file, fault));
  }

  /** [NSP5] Calls `next` for what the application is to receive. */
  #passes(member: Member, event: unknown[], next: () => void): void {
    const { socket } = member;
    const answer = event.at(-1);
    const reply = typeof answer === "function" ? (answer as (body: object) => void) : null;
    const refusal = this.#limited(member);
    if (refusal !== null) {
      reply?.({ ok: false, error: refusal });
      return;
    }
    const [name, payload] = event as [string, { token?: unknown } | undefined];
    if (name === "refresh_token" && reply !== null && typeof payload?.token === "string") {
      void this.#refresh(member, payload.token).then(
        (body) => reply(body),
        (fault: unknown) => this.failed(member.file, fault),
      );
      return;
    }
    if (!member.isEnded && socket.connected) next();
  }

  #limited(member: Member): ErrorObject | null {
    const { config, clock, limits } = this.#deps;
    if (!config.rateLimits) return null;
    const nowMs = clock.monotonicMs();
    const buckets = bucketsOf(member, limits);
    if (buckets.packets?.take(nowMs) !== false) return null;
    const isOver = buckets.refusals?.take(nowMs) === false;
    if (isOver && !member.isEnded) {
      limits.endedForAbuse(member.identity.userId);
      this.#end(member, "rate_limited", "Too many packets, again and again.", true);
      connOf(member.socket).close();
    }
    return tooMany(buckets.packets.retryAfterMs(nowMs), "Too many packets.");
  }

  async #refresh(member: Member, token: string): Promise<object> {
    const { auth } = this.#deps;
    const verified = await auth.verify(token, "refresh_token");
    if (!verified.ok) return { ok: false, error: verified.error };
    const self = verified.value.userId === member.identity.userId;
    const refusal = judge("replace_token", { self });
    if (refusal !== null) return { ok: false, error: refusal };
    member.identity = verified.value;
    member.isExpiryAnnounced = false;
    return { ok: true, expires_at: isoOf(verified.value.expiresAtMs) };
  }

  #add(member: Member): void {
    const { userId } = member.identity;
    const members = this.#users.get(userId);
    if (members === undefined) this.#users.set(userId, new Set([member]));
    else members.add(member);
    this.#members.set(member.socket, member);
    // A client may go before Socket.IO has made its connection.
    connOf(member.socket).once("close", () => this.#forget(member));
    this.#cancelLook ??= this.#deps.clock.after(LOOK_MS, () => this.#look());
  }

  #forget(member: Member): void {
    const { userId } = member.identity;
    const members = this.#users.get(userId);
    if (members?.delete(member) === true && members.size === 0) this.#users.delete(userId);
  }

  #endSurplus(user: UserId, max: number): void {
    const members = this.#of(user);
    const [oldest] = members;
    if (members.length <= max || oldest === undefined) return;
    this.#end(oldest, "too_many_sessions", "A newer connection took its place.", false);
  }

  #end(member: Member, code: EndCode, message: string, reconnect: boolean): void {
    if (member.isEnded) return;
    member.isEnded = true;
    const { socket } = member;
    const payload: ServerPayload<"session_ended"> = { code, message, reconnect };
    this.#forget(member);
    if (!socket.connected) return;
    socket.emit("session_ended", payload);
    socket.disconnect();
  }

  /** Tokens that expire, and readers that do not read. */
  #look(): void {
    const { clock, turn, log } = this.#deps;
    this.#cancelLook = null;
    const nowMs = clock.monotonicMs();
    for (const member of this.#all()) {
      const leftMs = msBetween(nowMs, member.identity.endsAtMs);
      if (leftMs <= 0) {
        this.#end(member, "token_expired", "The access token has expired.", true);
      } else if (leftMs <= EXPIRY_NOTICE_MS && !member.isExpiryAnnounced) {
        member.isExpiryAnnounced = true;
        const expires_at = isoOf(member.identity.expiresAtMs);
        member.socket.emit("token_expiring", { expires_at });
      } else if (new EngineConnection(member.socket, turn).queuedBytes > QUEUE_BYTES_MAX) {
        log.info({ event: "session_ended", code: "slow_consumer", user: member.identity.userId });
        connOf(member.socket).close();
      }
    }
    if (this.#users.size > 0) this.#cancelLook = clock.after(LOOK_MS, () => this.#look());
  }

  #of(user: UserId): Member[] {
    return [...(this.#users.get(user) ?? [])];
  }

  #all(): Member[] {
    return [...this.#users.values()].flatMap((members) => [...members]);
  }
}

type Middleware = (socket: Socket, next: (err?: Error) => void) => void;

/** Private to Socket.IO, which has no way to take a middleware back; a test holds on to it. */
function middlewareOf(namespace: object): Middleware[] {
  return (namespace as { _fns: Middleware[] })._fns;
}

function passes(
  [first, ...others]: Middleware[],
  socket: Socket,
  next: (err?: Error) => void,
): void {
  if (first === undefined) next();
  else first(socket, (err) => (err ? next(err) : passes(others, socket, next)));
}

/** The application's middleware has thrown: its `next` is called for it. */
function refuseConnection(next: unknown): void {
  if (typeof next !== "function") return;
  next(
    Object.assign(new Error(REFUSALS.internal.error.message), { data: REFUSALS.internal.error }),
  );
}

interface Buckets {
  packets: TokenBucket | null;
  refusals: TokenBucket | null;
}

const BUCKETS = new WeakMap<Member, Buckets>();

function bucketsOf(member: Member, limits: EdgeLimits): Buckets {
  const made = BUCKETS.get(member);
  if (made !== undefined) return made;
  const [packets, refusals] = [limits.own("namespace"), limits.own("refused")];
  const buckets = {
    packets: packets === null ? null : new TokenBucket(packets),
    refusals: refusals === null ? null : new TokenBucket(refusals),
  };
  BUCKETS.set(member, buckets);
  return buckets;
}

function connOf(socket: Socket): Conn {
  return socket.conn as unknown as Conn;
}

function tokenOf({ handshake }: Socket): string | null {
  const { token } = handshake.auth;
  if (typeof token === "string" && token !== "") return token;
  const header = handshake.headers.authorization ?? "";
  return /^bearer /i.test(header) ? header.slice(7).trim() : null;
}
