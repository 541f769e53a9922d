/**
 * Takes the WebSocket handshakes of clients that begin with one, ahead of Engine.IO, and keeps
 * their connections until they are over: handshake, heartbeat, deadlines.
 */
import { randomFillSync } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Clock } from "../../base/clock.ts";
import type { Result } from "../../protocol/errors.ts";
import type { SessionId } from "../../protocol/ids.ts";
import {
  CLOSE_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  type Connection,
  FRAME_BYTES_MAX,
} from "./connection.ts";
import { Heartbeat, PING_INTERVAL_MS, PING_TIMEOUT_MS } from "./heartbeat.ts";
import { NamespaceCarrier } from "./namespace-carrier.ts";
import type { NamespaceNames } from "./namespace-names.ts";
import type { WriteBatcher } from "./write-batcher.ts";
import { WsConnection, type WsConnectionOwner } from "./ws-connection.ts";

/** Decides which clients are admitted; see admission.ts. */
export interface Admitter<AdmittedClient> {
  receive(
    connection: Connection,
    id: SessionId,
    auth: Readonly<Record<string, unknown>>,
    authorization: string | undefined,
  ): Promise<Result<AdmittedClient>>;
  begin(guest: AdmittedClient): void;
  /** The guest went before it began. */
  forget(guest: AdmittedClient): void;
}

export interface WsServerOptions<AdmittedClient> {
  clock: Clock;
  turn: WriteBatcher;
  reception: Admitter<AdmittedClient>;
  /** Whether the handshake may go on; else it has been answered. */
  passes(request: IncomingMessage): boolean;
  /** The application's namespaces; see NamespaceCarrier. */
  namespaces: NamespaceNames;
  /** Takes a connection in its namespaces, as Engine.IO's server would. */
  onCarrier(carrier: NamespaceCarrier): void;
}

/**
 * ws closes a connection that has more pings without a pong sent (60 by default; its types lack the
 * option). The 64 KiB that node reads at once hold fewer, so a flood of pings is slowed down by the
 * session's pace instead.
 */
const PONGS = { maxPendingAutoPongs: 16_384 };
/** As Engine.IO and Socket.IO make theirs: 15 random bytes as 20 characters. */
const ID_BYTES = 15;
/** Random bytes cost by the call, hardly by the byte: they are fetched for many ids at once. */
const pool = Buffer.alloc(ID_BYTES * 256);
let poolUsed = pool.length;

export class WsServer<AdmittedClient> implements WsConnectionOwner {
  readonly turn: WriteBatcher;
  readonly #options: WsServerOptions<AdmittedClient>;
  readonly #heartbeat: Heartbeat<WsConnection>;
  readonly #upgrades = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    ...PONGS,
  });

  constructor(options: WsServerOptions<AdmittedClient>) {
    this.turn = options.turn;
    this.#options = options;
    this.#heartbeat = new Heartbeat(options.clock);
  }

  /** Takes the upgrade request if it is one of ours; else it is Engine.IO's to answer. */
  takes(request: IncomingMessage, tcp: Duplex, head: Buffer): boolean {
    // Through sticky's tunnel nobody would notice a reader that has stopped.
    if (!isNewWebSocket(request.url ?? "") || !(tcp instanceof TcpSocket)) return false;
    if (!this.#options.passes(request)) return true;
    // Its answer and the first packet leave together.
    this.turn.hold(tcp);
    this.#upgrades.handleUpgrade(request, tcp, head, (ws) => {
      const connection = new WsConnection(ws, tcp, request.headers.authorization, this);
      if (this.namespaces.size > 0) {
        connection.request = { url: request.url ?? "", headers: request.headers };
      }
      this.#heartbeat.add(connection);
      this.#deadline(connection, CONNECT_TIMEOUT_MS);
      connection.open(
        `{"sid":"${makeId()}","upgrades":[],"pingInterval":${PING_INTERVAL_MS},` +
          `"pingTimeout":${PING_TIMEOUT_MS},"maxPayload":${FRAME_BYTES_MAX}}`,
      );
    });
    return true;
  }

  connect(connection: WsConnection, auth: Readonly<Record<string, unknown>>): void {
    const { reception } = this.#options;
    const id = makeId() as SessionId;
    void reception.receive(connection, id, auth, connection.authorization).then((received) => {
      if (!connection.isOpen) {
        if (received.ok) reception.forget(received.value);
        return;
      }
      if (received.ok) {
        connection.cancelDeadline?.();
        connection.cancelDeadline = null;
        connection.accept(id);
        reception.begin(received.value);
      } else {
        // Asking again gains no more time.
        if (!connection.isRefused) this.#deadline(connection, CLOSE_TIMEOUT_MS);
        connection.refuse({ message: received.error.message, data: received.error });
      }
    });
  }

  get namespaces(): NamespaceNames {
    return this.#options.namespaces;
  }

  carry(connection: WsConnection): NamespaceCarrier | null {
    const { request } = connection;
    if (request === null) return null;
    const carrier = new NamespaceCarrier({
      id: makeId(),
      ...connection.parts,
      turn: this.turn,
      request,
      accepted() {
        connection.cancelDeadline?.();
        connection.cancelDeadline = null;
      },
      closed() {
        // The main namespace's session lives on without them.
        if (!connection.hasSession) connection.close(true);
      },
    });
    this.#options.onCarrier(carrier);
    return carrier;
  }

  pong(connection: WsConnection): void {
    this.#heartbeat.answered(connection);
  }

  closed(connection: WsConnection, isGone: boolean): void {
    this.#heartbeat.forget(connection);
    if (!isGone) this.#deadline(connection, CLOSE_TIMEOUT_MS);
  }

  /** Drops what is left. */
  close(): void {
    this.#heartbeat.stop();
    for (const connection of [...this.#heartbeat.all()]) connection.terminate();
  }

  #deadline(connection: WsConnection, delayMs: number): void {
    connection.cancelDeadline?.();
    connection.cancelDeadline = this.#options.clock.after(delayMs, () => {
      connection.close(true);
      connection.terminate();
    });
  }
}

/** Every request that differs from this in any way is left to Engine.IO. */
function isNewWebSocket(url: string): boolean {
  return (
    url.startsWith("/socket.io/?") &&
    /[?&]EIO=4(&|$)/.test(url) &&
    /[?&]transport=websocket(&|$)/.test(url) &&
    !/[?&]sid=/.test(url)
  );
}

function makeId(): string {
  if (poolUsed === pool.length) {
    randomFillSync(pool);
    poolUsed = 0;
  }
  poolUsed += ID_BYTES;
  return pool.toString("base64url", poolUsed - ID_BYTES, poolUsed);
}
