/**
 * Admission of clients: from a client's CONNECT to a live session, and the end of its connection.
 * The same for every kind of connection.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Metrics } from "../../base/metrics.ts";
import type { WorkerConfig } from "../../config/config.ts";
import type { SessionOpening } from "../../ports/edge.ts";
import { type ContractVersion, contractOf } from "../../protocol/contract.ts";
import { type ErrorObject, ok, REFUSALS, type Result, refused } from "../../protocol/errors.ts";
import type { EndCode } from "../../protocol/events.ts";
import type { SessionId } from "../../protocol/ids.ts";
import { judge } from "../../protocol/policy.ts";
import { UNREAD_CONVERSATIONS_MAX } from "../../protocol/session-bounds.ts";
import { isoOf } from "../../protocol/time.ts";
import type { Auth } from "../auth/auth.ts";
import { factsOf } from "../auth/identity.ts";
import type { EdgeLimits } from "../limits/limits.ts";
import { CLOSE_TIMEOUT_MS, type Connection } from "../transport/connection.ts";
import type { ClientPacket } from "../transport/packet.ts";
import type { WriteBatcher } from "../transport/write-batcher.ts";
import type { Admitter } from "../transport/ws-server.ts";
import { InboundPacing, type PacingOwner } from "./inbound-pacing.ts";
import { Session, type SessionOwner } from "./session.ts";
import { SessionLimits } from "./session-limits.ts";

/** How long a flooding client, which is no longer read, has to receive the reason. */
const ABUSE_CLOSE_TIMEOUT_MS = 500;
/**
 * Rate-limit refusals are delayed by this much; clients that retry at once would otherwise loop.
 */
const LIMITED_ANSWER_MS = 1_000;
/** At most this many refusals are delayed at a time; further ones are sent at once. */
const LIMITED_WAITING_MAX = 500;

/** The register of live sessions, as far as admission needs it. */
export interface SessionRegister {
  /** Reads what the session begins with; null when its user does not exist. */
  open(session: Session): Promise<SessionOpening | null>;
  begun(session: Session, opening: SessionOpening): void;
  close(session: Session): void;
  all(): Iterable<Session>;
}

export interface AdmissionDeps {
  config: WorkerConfig;
  auth: Auth;
  sessions: SessionRegister;
  limits: EdgeLimits;
  metrics: Metrics;
  dispatch(session: Session, packet: ClientPacket, isOverrun?: boolean): void;
  turn: WriteBatcher;
  /** Whether too much waits for actors. */
  isCongested(): boolean;
  clock: Clock;
  log: Log;
}

/** A client that was admitted, with its session and what the session begins with. */
export interface AdmittedClient {
  session: Session;
  opening: SessionOpening;
}

const NO_TOKEN = refused("unauthorized", "Send an access token in auth.token.");
const NO_USER = refused("unauthorized", "There is no such user.");

export class Admission implements PacingOwner, SessionOwner, Admitter<AdmittedClient> {
  readonly clock: Clock;
  readonly turn: WriteBatcher;
  readonly #deps: AdmissionDeps;
  #limitedWaiting = 0;

  constructor(deps: AdmissionDeps) {
    this.clock = deps.clock;
    this.turn = deps.turn;
    this.#deps = deps;
  }

  /**
   * Looks at the token in `auth.token`, else in the Authorization header, and opens a session
   * `id` on the connection. Never rejects; a refused connection leaves no state.
   */
  async receive(
    connection: Connection,
    id: SessionId,
    auth: Readonly<Record<string, unknown>>,
    authorization: string | undefined,
  ): Promise<Result<AdmittedClient>> {
    try {
      const token = tokenOf(auth, authorization);
      if (token === null) return NO_TOKEN;
      const contract = contractOf(auth["contract"]);
      return contract.ok ? await this.#admit(connection, id, token, contract.value) : contract;
    } catch (fault) {
      this.#deps.log.warn({ event: "handshake_unavailable", err: fault });
      return REFUSALS.unavailable;
    }
  }

  /** CONNECT has been answered: the session begins. */
  begin({ session, opening }: AdmittedClient): void {
    const { clock } = this;
    session.sinceMs = clock.wallMs();
    session.liveAtMs = clock.monotonicMs();
    session.begin({
      user: opening.user,
      session_id: session.id,
      server_time: isoOf(session.sinceMs),
      token_expires_at: isoOf(session.expiresAtMs),
      unread: { notifications: opening.unreadNotifications, ...unreadIn(opening, session) },
      ...(session.contract !== "1" && { contract: session.contract }),
    });
    this.#deps.sessions.begun(session, opening);
  }

  /** The client left before its session began. */
  forget({ session }: AdmittedClient): void {
    this.#deps.sessions.close(session);
  }

  async #admit(
    connection: Connection,
    id: SessionId,
    token: string,
    contract: ContractVersion,
  ): Promise<Result<AdmittedClient>> {
    const { auth, config, limits, sessions } = this.#deps;
    const verified = auth.known(token) ?? (await auth.verify(token, "connect"));
    if (!verified.ok) return verified;
    const identity = verified.value;
    const refusal = judge("connect", factsOf(identity));
    if (refusal !== null) return { ok: false, error: refusal };
    const limited = limits.handshake(identity.userId);
    if (limited !== null) return { ok: false, error: await this.#later(limited) };

    const session = new Session({
      id,
      identity,
      connection,
      limits: new SessionLimits(config.rateLimits ? limits : null, identity.userId),
      contract,
      host: this,
    });
    connection.carry(new InboundPacing(connection, session, this));
    if (!connection.isOpen) return REFUSALS.unavailable;
    let admitted = false;
    try {
      const opening = await sessions.open(session);
      if (opening === null) return NO_USER;
      const error = judge("connect", { admitted: !opening.suspended });
      if (error !== null) return { ok: false, error };
      admitted = true;
      return ok({ session, opening });
    } finally {
      if (!admitted) sessions.close(session);
    }
  }

  isCongested(): boolean {
    return this.#deps.isCongested();
  }

  take(session: Session, packet: ClientPacket): void {
    if (session.isLive) this.#deps.dispatch(session, packet);
  }

  refuse(session: Session, packet: ClientPacket): void {
    this.#deps.metrics.limits.add("session", "refused");
    if (session.isLive) this.#deps.dispatch(session, packet, true);
  }

  held(): void {
    this.#deps.metrics.limits.add("session", "held");
  }

  /** The connection has ended, or the client has sent DISCONNECT. */
  closed(session: Session): void {
    this.#deps.sessions.close(session);
    const { isOpen, isShared } = session.connection;
    if (isOpen && isShared !== true) this.#closeSoon(session.connection);
  }

  ended(session: Session, reconnect: boolean, code: EndCode): void {
    const { connection } = session;
    this.#deps.metrics.ended.add(code);
    connection.close(reconnect);
    if (code === "rate_limited") this.#cut(session);
    else this.#closeSoon(connection);
  }

  slow(session: Session): void {
    this.#deps.log.info({ event: "session_ended", code: "slow_consumer", user: session.user });
    session.end("slow_consumer", "Too much waits to be read.", true);
    this.#deps.sessions.close(session);
  }

  /** The client may send until it is closed; nothing is read, and its user must wait. */
  #cut({ connection, user }: Session): void {
    this.#deps.limits.endedForAbuse(user);
    connection.stop();
    this.clock.after(ABUSE_CLOSE_TIMEOUT_MS, () => connection.terminate());
  }

  #closeSoon(connection: Connection): void {
    this.clock.after(CLOSE_TIMEOUT_MS, () => connection.terminate());
  }

  async #later(refusal: ErrorObject): Promise<ErrorObject> {
    const askedMs = refusal.retry_after_ms ?? 0;
    if (this.#limitedWaiting >= LIMITED_WAITING_MAX) return refusal;
    this.#limitedWaiting++;
    const delayMs = Math.min(LIMITED_ANSWER_MS, askedMs);
    await new Promise<void>((resolve) => this.clock.after(delayMs, resolve));
    this.#limitedWaiting--;
    return { ...refusal, retry_after_ms: Math.max(1, askedMs - delayMs) };
  }
}

/** Version 1 of the contract has no threads. */
function unreadIn(opening: SessionOpening, { contract }: Session) {
  const { unread, unreadThreads, channels, hasMoreUnread } = opening;
  const unreadChannels = channels
    .filter(({ unread_count }) => unread_count > 0)
    .map(({ rev: _, ...channel }) => channel);
  const all = contract === "1" ? unread : [...unread, ...unreadThreads, ...unreadChannels];
  const isMore = hasMoreUnread || all.length > UNREAD_CONVERSATIONS_MAX;
  return {
    conversations: all.slice(0, UNREAD_CONVERSATIONS_MAX),
    ...(isMore && { more: true as const }),
  };
}

function tokenOf(
  auth: Readonly<Record<string, unknown>>,
  authorization: string | undefined,
): string | null {
  const { token } = auth;
  if (typeof token === "string" && token !== "") return token;
  const header = authorization ?? "";
  return /^bearer /i.test(header) ? header.slice(7).trim() : null;
}
