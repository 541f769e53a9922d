/**
 * A real socket.io server on loopback with one real client, as the edge configures it: for
 * tests of what the edge leans on inside engine.io and ws.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket as TcpSocket } from "node:net";
import { Server, type Socket } from "socket.io";
import { type Socket as ClientSocket, io as connect } from "socket.io-client";
import type { WebSocket } from "ws";
import { within } from "./eventually.ts";

export interface SocketPair {
  readonly server: Socket;
  readonly client: ClientSocket;
  /** The server's TCP connection, found the way the edge finds it. */
  readonly tcp: TcpSocket;
  /** The client stops reading, or goes on. */
  stopsReading(): void;
  reads(): void;
  close(): Promise<void>;
}

/** `prepare` sees the server before its first connection. */
export async function socketPair(
  transport: "websocket" | "polling",
  prepare: (io: Server) => void = () => undefined,
): Promise<SocketPair> {
  const httpServer = createServer();
  const io = new Server(httpServer, {
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    maxHttpBufferSize: 64 * 1024,
  });
  prepare(io);
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const { port } = httpServer.address() as AddressInfo;
  const connected = once(io, "connection") as Promise<[Socket]>;
  const client = connect(`http://127.0.0.1:${port}`, {
    transports: [transport],
    reconnection: false,
    forceNew: true,
  });
  const [server] = await within("a connection", connected);
  if (!client.connected) await within("the client knows it", once(client as never, "connect"));
  const { transport: engine } = server.conn as unknown as {
    transport: { socket?: { _socket: TcpSocket } };
  };
  const ws = (client.io.engine.transport as unknown as { ws?: WebSocket }).ws;
  return {
    server,
    client,
    tcp: engine.socket?._socket as TcpSocket,
    stopsReading: () => ws?.pause(),
    reads: () => ws?.resume(),
    async close() {
      client.disconnect();
      const gone = new Promise<void>((resolve) => void io.close(() => resolve()));
      httpServer.closeAllConnections();
      await within("the server's end", gone);
    },
  };
}
