/**
 * The Socket.IO server of one edge: handshake, sessions' beginning and end, and the hand-over
 * from socket.io's events to our own dispatch. Owns the http.Server that Engine.IO and sticky
 * are attached to; the primary hands its connections over, it never listens.
 *
 * Never lets a client's misbehaviour escape: every hook that socket.io calls catches.
 */
import { createServer, type Server as HttpServer, type IncomingMessage } from "node:http";
import { Socket as TcpSocket } from "node:net";
import { createAdapter } from "@socket.io/cluster-adapter";
import { setupWorker } from "@socket.io/sticky";
import { Server, type Socket } from "socket.io";
import type { Clock } from "../../clock.ts";
import type { WorkerConfig } from "../../config.ts";
import type { Log } from "../../log.ts";
import type { SessionOpening } from "../../ports.ts";
import { type ErrorObject, REFUSALS, refused } from "../../protocol/errors.ts";
import type { ClientToServerEvents, ServerToClientEvents } from "../../protocol/events.ts";
import type { SessionId } from "../../protocol/ids.ts";
import { type Auth, SERVICE_USER } from "../auth.ts";
import type { ClientPacket } from "./dispatch.ts";
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

export interface SocketServerDeps {
  config: WorkerConfig;
  auth: Auth;
  sessions: Sessions;
  dispatch(session: Session, packet: ClientPacket): void;
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
  opening: SessionOpening;
}
type TroupeSocket = Socket<
  ClientToServerEvents,
  ServerToClientEvents,
  Record<never, never>,
  SocketData
>;

const NO_TOKEN = refused("unauthorized", "Send an access token in auth.token.");
const NO_SERVICE = refused("forbidden", "A service token opens no session.");
const NO_USER = refused("unauthorized", "There is no such user.");
const SUSPENDED = refused("forbidden", "This account is suspended.");

export function createSocketServer(deps: SocketServerDeps): SocketServer {
  const { config, sessions, clock, log } = deps;
  const httpServer = createServer((_request, response) => response.writeHead(404).end());
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
  setupWorker(io as unknown as Server);
  // The namespace's calls to all workers of the host; no event of the contract rides on it.
  io.adapter(createAdapter());

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
    if (session.isEnded) {
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
  });

  /** Null: welcome, and `socket.data` is set. */
  async function authenticate(socket: TroupeSocket): Promise<ErrorObject | null> {
    const token = tokenOf(socket);
    if (token === null) return NO_TOKEN.error;
    const verified = deps.auth.known(token) ?? (await deps.auth.verify(token));
    if (!verified.ok) return verified.error;
    const identity = verified.value;
    if (identity.userId === SERVICE_USER) return NO_SERVICE.error;

    const userLimits = sessions.limitsOf(identity.userId);
    const session: Session = new Session(
      socket.id as SessionId,
      identity,
      new Outlet(socket.conn, deps.turn, () => giveUp(socket)),
      new SessionLimits(config.rateLimits ? userLimits : null),
      { close: (reconnect) => closeConnection(socket, reconnect) },
    );
    socket.data.session = session;
    takeOverEvents(socket, (packet) => {
      if (session.isLive) deps.dispatch(session, packet);
    });
    socket.conn.once("close", () => sessions.close(session));
    socket.once("disconnect", () => {
      sessions.close(session);
      closeSoon(socket);
    });
    if (socket.conn.readyState !== "open") return REFUSALS.unavailable.error;
    const opening = await sessions.open(session, userLimits);
    if (opening === null) return NO_USER.error;
    if (opening.suspended) return SUSPENDED.error;
    socket.data.opening = opening;
    return null;
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
