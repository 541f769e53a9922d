/**
 * The Socket.IO server of one edge: handshake, sessions' beginning and end, and the hand-over
 * from socket.io's events to our own dispatch. Owns the http.Server that Engine.IO and sticky
 * are attached to; the primary hands its connections over, it never listens.
 *
 * Never lets a client's misbehaviour escape: every hook that socket.io calls catches.
 */
import type { Server as HttpServer, IncomingMessage } from "node:http";
import { Socket as TcpSocket } from "node:net";
import { createAdapter } from "@socket.io/cluster-adapter";
import { setupWorker } from "@socket.io/sticky";
import { Server, type Socket } from "socket.io";
import type { Clock } from "../../clock.ts";
import type { WorkerConfig } from "../../config.ts";
import type { Log } from "../../log.ts";
import type { Metrics } from "../../metrics.ts";
import type { SessionOpening } from "../../ports.ts";
import { type ErrorObject, REFUSALS, refused } from "../../protocol/errors.ts";
import type { ClientToServerEvents, ServerToClientEvents } from "../../protocol/events.ts";
import type { SessionId } from "../../protocol/ids.ts";
import { judge } from "../../protocol/policy.ts";
import { type Auth, factsOf } from "../auth.ts";
import { createHttpServer } from "../http/server.ts";
import type { EdgeLimits } from "../limits.ts";
import type { ClientPacket } from "./dispatch.ts";
import { createHandshakeGate } from "./handshake-gate.ts";
import { Intake } from "./intake.ts";
import { slim, slimUpgrades, stickyView } from "./lean.ts";
import { Outlet, type WriteTurn } from "./outlet.ts";
import { Session } from "./session.ts";
import { SessionLimits } from "./session-limits.ts";
import type { Sessions } from "./sessions.ts";

/** Contract: a larger frame closes its connection. */
const FRAME_BYTES_MAX = 64 * 1024;
/** A client that opened a transport and then does not say CONNECT. */
const CONNECT_TIMEOUT_MS = 8_000;
/** A client that was refused or ended and does not close its side. */
const CLOSE_TIMEOUT_MS = 3_000;
/** One that floods: time to hear why, though it is not read any more. */
const ABUSE_CLOSE_TIMEOUT_MS = 500;
/** Who comes back at once is told so late: else every refusal is the next attempt's start. */
const LIMITED_ANSWER_MS = 1_000;
/** That many wait for theirs at a time, 20 KB each; more are told at once. */
const LIMITED_WAITING_MAX = 500;

export interface SocketServerDeps {
  config: WorkerConfig;
  auth: Auth;
  sessions: Sessions;
  limits: EdgeLimits;
  metrics: Metrics;
  dispatch(session: Session, packet: ClientPacket, isOverrun?: boolean): void;
  turn: WriteTurn;
  clock: Clock;
  log: Log;
}

export interface SocketServer {
  readonly httpServer: HttpServer;
  readonly io: Server;
  /** Refuses new sessions from now on; those that live go on. */
  refuseNew(): void;
  /** Closes what is left. */
  close(): void;
}

interface SocketData {
  session: Session;
  /** Until the session has begun. */
  opening?: SessionOpening;
}
type TroupeSocket = Socket<
  ClientToServerEvents,
  ServerToClientEvents,
  Record<never, never>,
  SocketData
>;

const NO_TOKEN = refused("unauthorized", "Send an access token in auth.token.");
const NO_USER = refused("unauthorized", "There is no such user.");

export function createSocketServer(deps: SocketServerDeps): SocketServer {
  const { config, sessions, limits, metrics, clock, log } = deps;
  const httpServer = createHttpServer((_request, response) => response.writeHead(404).end());
  let isRefusing = false;
  const io = new Server<
    ClientToServerEvents,
    ServerToClientEvents,
    Record<never, never>,
    SocketData
  >(httpServer, {
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    maxHttpBufferSize: FRAME_BYTES_MAX,
    connectTimeout: CONNECT_TIMEOUT_MS,
    cors: { origin: config.corsOrigin ?? "*", credentials: false },
    allowRequest: (request, decide) => {
      if (isRefusing && !hasSession(request)) decide("The server is draining.", false);
      // Through sticky's tunnel nobody would notice a reader that has stopped.
      else if (isTunnelledUpgrade(request)) decide("Open a connection of its own.", false);
      else decide(null, true);
    },
  });
  io.engine.use(
    createHandshakeGate({
      config,
      clock,
      count: (code) => metrics.refusals.add("handshake", code),
    }),
  );
  setupWorker(stickyView(io as unknown as Server));
  slimUpgrades(io as unknown as Server, deps.turn);
  // The namespace's calls to all workers of the host; no event of the contract rides on it.
  io.adapter(createAdapter());

  let limitedWaiting = 0;
  /** Clients whose CONNECT is being looked at: a second one meanwhile is no client of ours. */
  const connecting = new WeakSet<object>();

  io.use((socket, next) => {
    if (connecting.has(socket.client)) {
      terminate(socket);
      return;
    }
    connecting.add(socket.client);
    authenticate(socket)
      .catch((fault: unknown): ErrorObject => {
        log.warn({ event: "handshake_unavailable", err: fault });
        return REFUSALS.unavailable.error;
      })
      .then((refusal) => {
        connecting.delete(socket.client);
        if (refusal === null) {
          // Socket.IO's answer to CONNECT and `ready` leave together.
          socket.data.session.hold();
          next();
          return;
        }
        if (socket.data.session !== undefined) sessions.close(socket.data.session);
        next(Object.assign(new Error(refusal.message), { data: refusal }));
        closeSoon(socket);
      });
  });

  io.on("connection", (socket) => {
    const { session, opening } = socket.data;
    if (session.isEnded || opening === undefined) {
      socket.disconnect(true);
      return;
    }
    session.sinceMs = clock.nowMs();
    session.begin({
      user: opening.user,
      session_id: session.id,
      server_time: new Date(clock.nowMs()).toISOString(),
      token_expires_at: new Date(session.expiresAtMs).toISOString(),
      unread: {
        notifications: opening.unreadNotifications,
        conversations: opening.unread,
      },
    });
    sessions.begun(session, opening);
    socket.data = { session };
    slim(socket as unknown as Socket);
  });

  /** Null: welcome, and `socket.data` is set. */
  async function authenticate(socket: TroupeSocket): Promise<ErrorObject | null> {
    const token = tokenOf(socket);
    if (token === null) return NO_TOKEN.error;
    const verified = deps.auth.known(token) ?? (await deps.auth.verify(token));
    if (!verified.ok) return verified.error;
    const identity = verified.value;
    const refusal = judge("connect", factsOf(identity));
    if (refusal !== null) return refusal;
    const limited = limits.handshake(identity.userId);
    if (limited !== null) return later(limited);

    const sessionLimits = new SessionLimits(config.rateLimits ? limits : null, identity.userId);
    const intake = new Intake(socket.conn, {
      clock,
      limits: sessionLimits,
      take: (packet) => {
        if (session.isLive) deps.dispatch(session, packet);
      },
      refuse: (packet) => {
        metrics.limits.add("session", "refused");
        if (session.isLive) deps.dispatch(session, packet, true);
      },
      onHeld: () => metrics.limits.add("session", "held"),
    });
    const session: Session = new Session(
      socket.id as SessionId,
      identity,
      new Outlet(socket.conn, deps.turn, () => giveUp(socket)),
      sessionLimits,
      {
        close(reconnect, code) {
          metrics.ended.add(code);
          closeConnection(socket, reconnect);
          if (code === "rate_limited") cut(socket, intake);
        },
      },
    );
    socket.data.session = session;
    takeOverEvents(socket, (packet) => intake.event(packet));
    socket.conn.once("close", () => sessions.close(session));
    socket.once("disconnect", () => {
      sessions.close(session);
      closeSoon(socket);
    });
    if (socket.conn.readyState !== "open") return REFUSALS.unavailable.error;
    const opening = await sessions.open(session);
    if (opening === null) return NO_USER.error;
    socket.data.opening = opening;
    return judge("connect", { admitted: !opening.suspended });
  }

  async function later(refusal: ErrorObject): Promise<ErrorObject> {
    const askedMs = refusal.retry_after_ms ?? 0;
    if (limitedWaiting >= LIMITED_WAITING_MAX) return refusal;
    limitedWaiting++;
    const delayMs = Math.min(LIMITED_ANSWER_MS, askedMs);
    await new Promise<void>((resolve) => clock.after(delayMs, resolve));
    limitedWaiting--;
    return { ...refusal, retry_after_ms: Math.max(1, askedMs - delayMs) };
  }

  /** It goes on sending until it is cut: what it sends is not read, and its user waits. */
  function cut(socket: TroupeSocket, intake: Intake): void {
    limits.endedForAbuse(socket.data.session.user);
    intake.stop();
    clock.after(ABUSE_CLOSE_TIMEOUT_MS, () => terminate(socket));
  }

  function giveUp(socket: TroupeSocket): void {
    log.info({ event: "session_ended", code: "slow_consumer", user: socket.data.session.user });
    socket.data.session.end("slow_consumer", "Too much waits to be read.", true);
    sessions.close(socket.data.session);
  }

  /**
   * A DISCONNECT packet makes clients stay away; a closed transport makes them come back by
   * themselves. What does not go in time is cut.
   */
  function closeConnection(socket: TroupeSocket, reconnect: boolean): void {
    if (reconnect || !socket.connected) socket.conn.close();
    else socket.disconnect(true);
    closeSoon(socket);
  }

  function closeSoon(socket: TroupeSocket): void {
    clock.after(CLOSE_TIMEOUT_MS, () => {
      socket.conn.close();
      terminate(socket);
    });
  }

  return {
    httpServer,
    io: io as unknown as Server,
    refuseNew() {
      isRefusing = true;
    },
    close() {
      for (const session of [...sessions.all()]) {
        session.end("server_draining", "The server is restarting.", true);
      }
      io.disconnectSockets(true);
      httpServer.closeAllConnections();
    },
  };
}

/** Replaces socket.io's dispatch; see dispatch.ts. Pinned by a test. */
function takeOverEvents(socket: TroupeSocket, onPacket: (packet: ClientPacket) => void): void {
  (socket as unknown as { onevent: (packet: ClientPacket) => void }).onevent = onPacket;
}

/** Drops the TCP connection with all that waits on it; polling has none to drop. */
function terminate(socket: TroupeSocket): void {
  const { transport } = socket.conn as unknown as {
    transport: { socket?: { terminate(): void } };
  };
  transport.socket?.terminate();
}

function tokenOf(socket: TroupeSocket): string | null {
  const { token } = socket.handshake.auth as { token?: unknown };
  if (typeof token === "string" && token !== "") return token;
  const header = socket.handshake.headers.authorization ?? "";
  return /^bearer /i.test(header) ? header.slice(7).trim() : null;
}

function hasSession(request: IncomingMessage): boolean {
  return /[?&]sid=/.test(request.url ?? "");
}

function isTunnelledUpgrade(request: IncomingMessage): boolean {
  return request.headers.upgrade !== undefined && !(request.socket instanceof TcpSocket);
}
