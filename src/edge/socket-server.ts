/**
 * The way in for sockets at one edge: WebSockets that are one from their first request
 * (ws-server.ts), and Socket.IO's own server for long-polling and what begins with it. Owns the
 * http.Server that Engine.IO and sticky are attached to; the primary hands its connections over,
 * it never listens.
 *
 * Never lets a client's misbehaviour escape: every hook that socket.io calls catches.
 */
import type { Server as HttpServer, IncomingMessage } from "node:http";
import { Socket as TcpSocket } from "node:net";
import { createAdapter } from "@socket.io/cluster-adapter";
import { setupWorker } from "@socket.io/sticky";
import { type Namespace, Server, type Socket } from "socket.io";
import type { Adapter } from "socket.io-adapter";
import type { WorkerConfig } from "../config/config.ts";
import { originMatcher } from "../config/origins.ts";
import type { ClientToServerEvents, ServerToClientEvents } from "../protocol/events.ts";
import type { SessionId } from "../protocol/ids.ts";
import { createHttpServer } from "./http/server/server.ts";
import { Admission, type AdmissionDeps, type AdmittedClient } from "./session/admission.ts";
import { createClientReader } from "./transport/client-address.ts";
import { CLOSE_TIMEOUT_MS, CONNECT_TIMEOUT_MS, FRAME_BYTES_MAX } from "./transport/connection.ts";
import { EngineConnection } from "./transport/engine-connection.ts";
import { dropBinaryMessages, packetParser } from "./transport/engine-decoding.ts";
import { createHandshakeGate } from "./transport/handshake-gate.ts";
import { createPollBinding } from "./transport/poll-binding.ts";
import { slim, slimUpgrades, stickyView } from "./transport/trim-socketio.ts";
import { WsServer } from "./transport/ws-server.ts";

export interface SocketServer {
  readonly httpServer: HttpServer;
  readonly io: Server;
  /** Refuses new sessions from now on; those that live go on. */
  /** Names of the application's namespaces; a reload adds to them. */
  readonly namespaces: Set<string>;
  refuseNew(): void;
  /** Closes what is left. */
  close(): void;
}

interface SocketData {
  /** Until it has begun. */
  guest?: AdmittedClient;
}

/** How often workers tell each other that they live, for calls to all of them. */
const CALM_HEARTBEATS = { heartbeatInterval: 60_000, heartbeatTimeout: 130_000 };

type AdapterConstructor = NonNullable<Parameters<Server["adapter"]>[0]>;

/** Makes the adapter of a namespace. */
export type AdapterFactory = (namespace: Namespace) => Adapter;

/** `namespaceAdapter`: of the application's namespaces, where several hosts are joined. */
export function createSocketServer(
  deps: AdmissionDeps,
  namespaceAdapter: AdapterFactory = createAdapter(),
): SocketServer {
  const { config, sessions, metrics, clock, turn } = deps;
  const namespaces = new Set(config.extensions?.namespaces);
  const httpServer = createHttpServer(
    (_request, response) => response.writeHead(404).end(),
    config.basePath,
  );
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
    parser: packetParser(namespaces),
    connectTimeout: CONNECT_TIMEOUT_MS,
    cors: { origin: corsOrigin(config), credentials: false },
    allowRequest: (request, decide) => {
      if (isRefusing && !hasSession(request)) decide("The server is draining.", false);
      // Through sticky's tunnel nobody would notice a reader that has stopped.
      else if (isTunnelledUpgrade(request)) decide("Open a connection of its own.", false);
      else decide(null, true);
    },
  });
  const gate = createHandshakeGate({
    config,
    clock,
    count: (code) => metrics.refusals.add("handshake", code),
  });
  io.engine.use(gate.middleware);
  io.engine.use(createPollBinding(io as unknown as Server, createClientReader(config.trustProxy)));
  dropBinaryMessages(io as unknown as Server);
  setupWorker(stickyView(io as unknown as Server));
  const reception = new Admission(deps);
  const webSockets = new WsServer({
    clock,
    turn,
    reception,
    passes: gate.passes,
    namespaces,
    onCarrier: (carrier) => void io.engine.emit("connection", carrier),
  });
  slimUpgrades(io as unknown as Server, turn, (request, tcp, head) =>
    // While the worker drains, Engine.IO refuses the request with the reason.
    isRefusing ? false : webSockets.takes(request, tcp, head),
  );
  // What an application does to a whole namespace or room reaches all workers of the host. No event
  // of the contract takes this way.
  const mainAdapter = createAdapter(CALM_HEARTBEATS);
  // Socket.IO calls it with `new`.
  function adapterOf(namespace: Namespace): Adapter {
    return namespace.name === "/" ? mainAdapter(namespace) : namespaceAdapter(namespace);
  }
  io.adapter(adapterOf as unknown as AdapterConstructor);

  /** Clients whose CONNECT is being looked at: a second one meanwhile is no client of ours. */
  const connecting = new WeakSet<object>();

  io.use((socket, next) => {
    const connection = new EngineConnection(socket as unknown as Socket, turn);
    if (connecting.has(socket.client)) {
      connection.terminate();
      return;
    }
    connecting.add(socket.client);
    const { auth, headers } = socket.handshake;
    void reception
      .receive(connection, socket.id as SessionId, auth, headers.authorization)
      .then((received) => {
        connecting.delete(socket.client);
        if (received.ok) {
          socket.data.guest = received.value;
          // Socket.IO's answer to CONNECT and `ready` leave together.
          connection.hold();
          next();
          return;
        }
        const { error } = received;
        next(Object.assign(new Error(error.message), { data: error }));
        clock.after(CLOSE_TIMEOUT_MS, () => connection.terminate());
      });
  });

  io.on("connection", (socket) => {
    const { guest } = socket.data;
    if (guest === undefined || guest.session.isEnded) {
      socket.disconnect(true);
      return;
    }
    reception.begin(guest);
    socket.data = {};
    // Namespaces that the client asks for later need the request.
    if (namespaces.size === 0) slim(socket as unknown as Socket);
  });

  return {
    httpServer,
    io: io as unknown as Server,
    namespaces,
    refuseNew() {
      isRefusing = true;
    },
    close() {
      for (const session of [...sessions.all()]) {
        session.end("server_draining", "The server is restarting.", true);
      }
      // Only this worker's sockets: without `local` the cluster adapter would also ask the others.
      io.local.disconnectSockets(true);
      webSockets.close();
      httpServer.closeAllConnections();
    },
  };
}

function hasSession(request: IncomingMessage): boolean {
  return /[?&]sid=/.test(request.url ?? "");
}

function isTunnelledUpgrade(request: IncomingMessage): boolean {
  return request.headers.upgrade !== undefined && !(request.socket instanceof TcpSocket);
}

type Decide = (error: Error | null, isAllowed?: boolean) => void;

/** As Socket.IO's `cors.origin` takes it: an allowed origin is sent back as it came. */
function corsOrigin({
  corsOrigin: allowed,
}: WorkerConfig): "*" | ((origin: string | undefined, decide: Decide) => void) {
  if (allowed === null) return "*";
  const isAllowed = originMatcher(allowed);
  return (origin, decide) => decide(null, origin !== undefined && isAllowed(origin));
}
