/**
 * Binds a session over long-polling to the network that it began in. Its `sid` stands in the address
 * of every request, where the log of a proxy can show it; from elsewhere it opens nothing. An
 * Engine.IO middleware.
 *
 * [PBD1] A request with the `sid` of a session that began in another network, an upgrade too, is
 *        answered as one with an unknown `sid`: the client begins a new session with its token.
 */
import type { ServerResponse } from "node:http";
import type { Server } from "socket.io";
import { networkOf } from "../../base/address.ts";
import type { ClientReader } from "./client-address.ts";
import type { EngineMiddleware } from "./handshake-gate.ts";

interface Engine {
  clients: Record<string, object | undefined>;
  on(event: "connection", listener: (session: EngineSession) => void): void;
}

interface EngineSession {
  request: Parameters<ClientReader["addressOf"]>[0];
}

/** As Engine.IO answers it itself. */
const UNKNOWN = JSON.stringify({ code: 1, message: "Session ID unknown" });

export function createPollBinding(io: Server, clients: ClientReader): EngineMiddleware {
  const engine = io.engine as unknown as Engine;
  const networks = new WeakMap<object, string>();
  engine.on("connection", (session) => {
    networks.set(session, networkOf(clients.addressOf(session.request)));
  });

  return (request, response, next) => {
    const sid = /[?&]sid=([^&]+)/.exec(request.url ?? "")?.[1];
    const session = sid === undefined ? undefined : engine.clients[sid];
    const network = session === undefined ? undefined : networks.get(session);
    if (network === undefined || network === networkOf(clients.addressOf(request))) next();
    else if (request.headers.upgrade === undefined) refuse(response);
    else request.socket.destroy();
  };
}

function refuse(response: ServerResponse): void {
  const headers = { "Content-Type": "application/json", Connection: "close" };
  response.writeHead(400, headers).end(UNKNOWN);
}
