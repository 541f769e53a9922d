/**
 * The front door: owns the port, looks at how each connection begins (its first request, or
 * its TLS hello), and hands it to a worker. It answers nothing itself but refusals. Made by
 * the host; the invariants: reads are stopped before a handle leaves, every socket has an
 * error listener from its first moment, nobody waits for anybody else, and nothing from
 * outside ends the primary. See door-guard (who may), request-head (where to), hand-over and
 * session-door (how).
 */
import cluster, { type Worker } from "node:cluster";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Counter, type Registry } from "prom-client";
import { subscriberOf } from "../base/address.ts";
import { StartRefusal, unreachable } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { NO_VIEW, PLACEMENT, Placement, type WorkerRef } from "../runtime/view.ts";
import type { DoorGuard, Welcome } from "./door-guard.ts";
import { HandOver } from "./hand-over.ts";
import {
  HEAD_LIMITS,
  type HeadLimits,
  type HeadOutcome,
  HTTP_HEAD,
  readHead,
} from "./head-reader.ts";
import { HeldSockets } from "./held-sockets.ts";
import { listenTrouble } from "./listen-trouble.ts";
import { type Refusal, refusalBytes } from "./refusals.ts";
import { maybeRequest, routeOf } from "./request-head.ts";
import { SessionDoor } from "./session-door.ts";
import { isOurs, startReading } from "./socket-handle.ts";
import { TLS_HELLO } from "./tls-hello.ts";
import type { UndecidedConnection } from "./undecided.ts";

export interface ServingWorker extends WorkerRef {
  worker: Worker;
}

export interface FrontDoorOptions {
  /** The prefix that paths may have. */
  basePath?: string;
  /** Whether TLS is on: then requests cannot be read here, and the worker does the handshake. */
  tls: boolean;
  guard: DoorGuard;
  /** Online workers that are not draining. */
  serving: () => readonly ServingWorker[];
  log: Log;
  registry: Registry;
  limits?: HeadLimits;
}

/** As large as Linux allows by default, so that a reconnect storm does not find a full queue. */
const BACKLOG = 4096;
/** How often a connection is handed over: a worker may die while it waits. */
const TRIES = 2;
/** A worker's report of a new session may arrive shortly after the client's next request. */
const UNKNOWN_SID_WAIT_MS = 50;
/** How long a refused client has to read the answer; closing with unread bytes would reset it. */
const LINGER_MS = 1000;

export class FrontDoor {
  readonly #options: FrontDoorOptions;
  readonly #limits: HeadLimits;
  readonly #server: Server;
  readonly #held = new HeldSockets();
  readonly #handOver: HandOver;
  readonly #sessions: SessionDoor;
  readonly #connections: Counter<"route">;
  /** Connections in a worker's TLS handshake, by the ticket that the worker will report. */
  readonly #shaking = new Map<number, { guest: UndecidedConnection; worker: Worker }>();
  #tickets = 0;
  #turn = 0;
  #closed = false;
  #placement = new Placement(NO_VIEW);
  #placed: readonly ServingWorker[] = [];

  constructor(options: FrontDoorOptions) {
    this.#options = options;
    this.#handOver = new HandOver(this.#held, options.guard.open);
    this.#sessions = new SessionDoor(this.#held, options.guard.open);
    this.#limits = options.limits ?? HEAD_LIMITS;
    this.#connections = new Counter({
      name: "troupe_front_door_connections_total",
      help: "Connections by where the front door sent them",
      labelNames: ["route"],
      registers: [options.registry],
    });
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    cluster.on("disconnect", this.#workerGone);
    cluster.on("exit", this.#workerGone);
  }

  /** How many sockets the primary holds now, without those of workers. */
  get heldSockets(): number {
    return this.#held.size;
  }

  /** Resolves with the port in use. Rejects with a StartRefusal when it cannot listen. */
  async listen(port: number, host: string): Promise<number> {
    const server = this.#server;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, host, backlog: BACKLOG }, () => {
          server.off("error", reject);
          if (this.#closed) server.close();
          resolve();
        });
      });
    } catch (error) {
      throw new StartRefusal(listenTrouble(error, port, host), { cause: error });
    }
    // For example out of file descriptors: connections fail, and the server keeps listening.
    server.on("error", (error) => this.#options.log.error({ event: "accept_failed", error }));
    return (server.address() as AddressInfo | null)?.port ?? port;
  }

  /** Stops accepting; connections that are being handed over continue. */
  stopAccepting(): void {
    this.#closed = true;
    if (this.#server.listening) this.#server.close();
  }

  /** Closes the connections that the primary still holds. */
  close(): void {
    this.stopAccepting();
    this.#held.destroyAll();
    this.#sessions.close();
    cluster.off("disconnect", this.#workerGone);
    cluster.off("exit", this.#workerGone);
  }

  readonly #workerGone = (worker: Worker) => {
    this.#sessions.workerGone(worker);
    this.#handOver.workerGone(worker);
    this.#options.guard.open.ownerGone(worker);
    for (const [ticket, shaking] of this.#shaking) {
      if (shaking.worker === worker) this.#settleTicket(ticket);
    }
  };

  /** A worker's report of how many of its connections have ended, by address. */
  connectionsEnded(worker: Worker, counts: Readonly<Record<string, number>>): void {
    this.#options.guard.open.ended(worker, counts);
  }

  /** A worker's report that these handshakes are done, with a request read, or have failed. */
  settled(tickets: readonly number[]): void {
    for (const ticket of tickets) this.#settleTicket(ticket);
  }

  #settleTicket(ticket: number): void {
    const shaking = this.#shaking.get(ticket);
    if (shaking === undefined) return;
    this.#shaking.delete(ticket);
    this.#options.guard.leave(shaking.guest);
  }

  #accept(socket: Socket): void {
    // Node destroys the socket after an error; without a listener the error would end the process.
    socket.on("error", () => socket.destroy());
    const { guard, tls } = this.#options;
    const welcome = guard.admit(socket);
    if (welcome === null) return;
    this.#held.add(socket);
    const { guest } = welcome;
    const left = () => guest !== null && guard.leave(guest);
    socket.once("close", left);
    readHead(socket, tls ? TLS_HELLO : HTTP_HEAD, this.#limits, (outcome) => {
      socket.off("close", left);
      if (tls && outcome.outcome === "read" && !welcome.isLimited) {
        this.#giveTls(socket, outcome.bytes, guest);
        return;
      }
      left();
      if (tls) this.#dropTls(socket, outcome, welcome);
      else this.#decide(socket, outcome, welcome);
    });
  }

  #decide(socket: Socket, read: HeadOutcome, welcome: Welcome): void {
    switch (read.outcome) {
      case "read":
        if (welcome.isLimited) {
          this.#refuse(socket, "limited", "Too many connections. Try again later.");
          return;
        }
        this.#route(socket, read.bytes, read.bytes.toString("latin1", 0, read.end));
        return;
      case "garbage":
        this.#refuse(socket, "garbage", "This is not an HTTP/1.1 request.");
        return;
      case "slow":
        this.#refuse(socket, "slow", "The request's headers took too long.");
        return;
      case "large":
        this.#refuse(socket, "large", "The request's headers are too large.");
        return;
      case "silent":
        this.#connections.inc({ route: "silent" });
        socket.destroy();
        return;
      default:
        unreachable(read);
    }
  }

  /** Ends a connection that is not TLS; only plain HTTP can be answered. */
  #dropTls(socket: Socket, read: HeadOutcome, welcome: Welcome): void {
    if (read.outcome === "garbage" && !welcome.isLimited && maybeRequest(read.bytes)) {
      this.#refuse(socket, "garbage", "This port speaks TLS: use https:// or wss://.");
      return;
    }
    const route = welcome.isLimited ? "limited" : read.outcome;
    this.#connections.inc({ route });
    socket.destroy();
  }

  #route(socket: Socket, bytes: Buffer, head: string): void {
    const route = routeOf(head, this.#options.basePath);
    switch (route.to) {
      case "api":
      case "engine":
        this.#connections.inc({ route: route.to });
        this.#give(socket, route.to, bytes, TRIES);
        return;
      case "session":
        this.#connections.inc({ route: "session" });
        if (this.#toOwner(socket, bytes, route)) return;
        setTimeout(() => {
          if (!isOurs(socket) || this.#toOwner(socket, bytes, route)) return;
          // Any worker's Engine.IO answers "Session ID unknown", and the client starts a new
          // session.
          this.#give(socket, "engine", bytes, TRIES);
        }, UNKNOWN_SID_WAIT_MS);
        return;
      case "refused":
        this.#refuse(socket, "garbage", route.why);
        return;
      default:
        unreachable(route);
    }
  }

  #toOwner(
    socket: Socket,
    bytes: Buffer,
    route: { sid: string; via: "sticky" | "direct"; tunnelled: boolean },
  ): boolean {
    const owner = this.#sessions.ownerOf(route.sid);
    if (owner === null) return false;
    if (route.via === "sticky") this.#sessions.give(socket, bytes, owner, route.tunnelled);
    else {
      this.#handOver.give(socket, owner, { kind: "engine", head: bytes }, () =>
        this.#give(socket, "engine", bytes, 1),
      );
    }
    return true;
  }

  /** Hands the connection to the next worker, round robin. */
  #give(socket: Socket, kind: "api" | "engine", bytes: Buffer, tries: number): void {
    const serving = this.#options.serving();
    if (tries === 0 || serving.length === 0) {
      this.#refuse(socket, "unavailable", "No worker can take this connection. Try again.");
      return;
    }
    this.#turn = (this.#turn + 1) % serving.length;
    const { worker } = serving[this.#turn]!;
    this.#handOver.give(socket, worker, { kind, head: bytes }, () =>
      this.#give(socket, kind, bytes, tries - 1),
    );
  }

  /** With TLS an address always goes to the same worker, so that long-polling finds its session. */
  #giveTls(socket: Socket, hello: Buffer, guest: UndecidedConnection | null): void {
    this.#connections.inc({ route: "tls" });
    const serving = this.#options.serving();
    if (serving !== this.#placed) {
      this.#placed = serving;
      const workers = [...serving];
      this.#placement = new Placement({
        number: 0,
        workers,
        draining: [],
        away: [],
        placement: PLACEMENT,
      });
    }
    const incarnation = this.#placement.ownerOf(subscriberOf(socket.remoteAddress ?? ""));
    const chosen = serving.find((candidate) => candidate.incarnation === incarnation);
    if (chosen === undefined) {
      if (guest !== null) this.#options.guard.leave(guest);
      socket.destroy();
      return;
    }
    this.#tickets++;
    const ticket = this.#tickets;
    if (guest !== null) {
      this.#options.guard.handedOver(guest);
      this.#shaking.set(ticket, { guest, worker: chosen.worker });
      // The socket closed before it was sent, so its worker will not report it. After that it emits
      // nothing.
      socket.once("close", () => this.#settleTicket(ticket));
    }
    const failed = () => {
      this.#settleTicket(ticket);
      socket.destroy();
    };
    this.#handOver.give(socket, chosen.worker, { kind: "tls", head: hello, ticket }, failed);
  }

  #refuse(socket: Socket, refusal: Refusal, message: string): void {
    this.#connections.inc({ route: refusal });
    if (!isOurs(socket)) return;
    // Further bytes are discarded until the client has read the answer or its time is up.
    socket.on("data", () => undefined);
    startReading(socket);
    socket.end(refusalBytes(refusal, message));
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once("close", () => clearTimeout(timer));
  }
}
