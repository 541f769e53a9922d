/**
 * A chat server reduced to delivery: it speaks as
 * much Socket.IO as the fleet needs, keeps nothing, asks nothing, and gives what one client
 * sends to all others. BARE=raw writes each frame to the TCP stream, corked for the turn as
 * Troupe does; BARE=ws calls ws' `send` for each client. The ceiling of `fanout`.
 */
import cluster from "node:cluster";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { WebSocket, WebSocketServer } from "ws";

const OPEN =
  '0{"sid":"bare","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":65536}';
/** As long as a real message is beside what its sender wrote. */
const REST =
  '"id":"1","seq":1,"rev":2,"sender_id":"1","reply_to_seq":null,' +
  '"created_at":"2026-01-01T00:00:00.000Z","edited_at":null,"deleted_at":null,';

if (cluster.isPrimary) startPrimary();
else startWorker();

function startPrimary(): void {
  cluster.on("message", (from, message: string) => {
    for (const worker of Object.values(cluster.workers ?? {})) {
      if (worker !== undefined && worker !== from) worker.send(message);
    }
  });
  for (let i = 0; i < Number(process.env["WORKERS"] ?? 2); i++) cluster.fork();
  process.on("SIGTERM", () => process.exit(0));
}

function startWorker(): void {
  const isRaw = process.env["BARE"] === "raw";
  const sockets = new Set<WebSocket>();
  const corked = new Set<Socket>();

  const sendRaw = (text: string, except: WebSocket | null) => {
    const frame = textFrame(text);
    for (const one of sockets) {
      if (one === except) continue;
      const tcp = (one as unknown as { _socket: Socket })._socket;
      if (!corked.has(tcp)) {
        if (corked.size === 0) setImmediate(uncork);
        corked.add(tcp);
        tcp.cork();
      }
      tcp.write(frame);
    }
  };
  const uncork = () => {
    for (const tcp of corked) tcp.uncork();
    corked.clear();
  };
  const sendWs = (text: string, except: WebSocket | null) => {
    for (const one of sockets) {
      if (one !== except && one.readyState === WebSocket.OPEN) one.send(text);
    }
  };
  const toAll = isRaw ? sendRaw : sendWs;

  const server = createServer((_request, response) => response.end("{}"));
  const wss = new WebSocketServer({ server, perMessageDeflate: false });
  wss.on("connection", (socket) => {
    socket.send(OPEN);
    socket.on("close", () => sockets.delete(socket));
    socket.on("message", (bytes: Buffer) => {
      const packet = bytes.toString("utf8");
      if (packet.startsWith("40")) {
        sockets.add(socket);
        socket.send('40{"sid":"bare"}');
        socket.send('42["ready",{}]');
      } else if (packet.startsWith("42")) {
        const bracket = packet.indexOf("[");
        const message = `42["message",{${REST}${packet.slice(packet.indexOf("{") + 1)}`;
        toAll(message, socket);
        process.send?.(message);
        socket.send(`43${packet.slice(2, bracket)}[{"ok":true}]`);
      }
    });
  });
  process.on("message", (message: string) => toAll(message, null));
  server.listen(Number(process.env["PORT"]), process.env["HOST"]);
}

/** Longer than 125 bytes, shorter than 64 KiB: what messages here are. */
function textFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(4 + bytes);
  frame[0] = 0x81;
  frame[1] = 126;
  frame.writeUInt16BE(bytes, 2);
  frame.write(text, 4);
  return frame;
}
