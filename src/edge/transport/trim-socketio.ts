/**
 * Removes objects and work that Socket.IO, Engine.IO and ws have for every connection and that nobody
 * here needs. It depends on their internals, which test/unit/trim-socketio.test.ts checks. Figures are
 * in bench/RESULTS.md.
 *
 * [LEA1] The upgrade request is garbage once the session has begun: 1.8 KB of heap a connection.
 * [LEA2] The answers of one handshake leave together, as fewer system calls.
 * [LEA3] Sticky learns only of sessions that poll; a WebSocket is one connection and never looked up.
 */
import type { IncomingMessage } from "node:http";
import { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import type { Server, Socket } from "socket.io";
import type { WriteBatcher } from "./write-batcher.ts";

/** As `rawListeners` has it: what was given to `once` is in `listener`. */
type Listener = (() => void) & { listener?: () => void };

interface Engine {
  handleUpgrade(request: IncomingMessage, tcp: Duplex, head: Buffer): void;
  on(event: "connection", listener: (conn: EngineConn) => void): void;
}
interface EngineConn {
  request: IncomingMessage | null;
  transport: { name: string; socket?: WebSocketEnd };
}
interface WebSocketEnd {
  _socket?: TcpSocket | null;
  _receiver?: { _mask?: Uint8Array } | null;
  listeners(event: "error"): ((...args: unknown[]) => void)[];
  off(event: "error", listener: (...args: unknown[]) => void): void;
}

/** The part of the server that `setupWorker` of sticky gets. */
export function stickyView(io: Server): Server {
  const engine = io.engine as unknown as Engine;
  const view = {
    httpServer: (io as unknown as { httpServer: unknown }).httpServer,
    engine: {
      on: (event: "connection", listener: (conn: EngineConn) => void) =>
        engine.on(event, (conn) => {
          if (conn.transport.name !== "websocket") listener(conn);
        }),
    },
  };
  return view as unknown as Server;
}

/**
 * [LEA1, LEA2] of upgrades: to be called once, before the first connection. Engine.IO does not
 * see what `takes` takes.
 */
export function slimUpgrades(
  io: Server,
  turn: WriteBatcher,
  takes: (...upgrade: Parameters<Engine["handleUpgrade"]>) => boolean,
): void {
  const engine = io.engine as unknown as Engine;
  const handleUpgrade = engine.handleUpgrade.bind(engine);
  engine.handleUpgrade = (request, tcp, head) => {
    if (takes(request, tcp, head)) return;
    const before = new Set(tcp.rawListeners("close"));
    if (tcp instanceof TcpSocket) turn.hold(tcp);
    handleUpgrade(request, tcp, head);
    // The first that it added tells the response's middlewares, none of which asks, that
    // the connection has closed; it holds the request for as long.
    const added = tcp.rawListeners("close").find((listener) => !before.has(listener));
    const { listener } = (added ?? {}) as Partial<Listener>;
    if (listener !== undefined) tcp.off("close", listener);
  };
}

/** The session has begun: lets go of what only its handshake needed. */
export function slim(socket: Socket): void {
  const conn = socket.conn as unknown as EngineConn;
  const { address, secure, issued, time } = socket.handshake;
  const empty = { headers: {}, query: {}, auth: {}, url: "", xdomain: false };
  const begun = socket as { handshake: Socket["handshake"] };
  begun.handshake = { address, secure, issued, time, ...empty };
  // A request of long-polling is replaced by the next one anyway.
  if (conn.transport.name !== "websocket") return;
  conn.request = null;
  const end = conn.transport.socket;
  const listener = end?.listeners("error").find(({ name }) => name === "onUpgradeError");
  if (listener !== undefined) end?.off("error", listener);
  // The mask of the last frame is a view into the packet that carried it, token and all.
  const receiver = end?._receiver;
  if (receiver?._mask !== undefined) receiver._mask = Uint8Array.from(receiver._mask);
}
