/** A session of a simulated worker: a real Session whose packets are counted and thrown away. */
import type { Commands } from "../../src/edge/commands/handler.ts";
import { Session } from "../../src/edge/session/session.ts";
import { SessionLimits } from "../../src/edge/session/session-limits.ts";
import type { Connection } from "../../src/edge/transport/connection.ts";
import { WriteBatcher } from "../../src/edge/transport/write-batcher.ts";
import { NEWEST_CONTRACT } from "../../src/protocol/contract.ts";
import type { ClientEventName, ClientPayload } from "../../src/protocol/events.ts";
import type { FamilyId, SessionId, UserId } from "../../src/protocol/ids.ts";
import { NEVER, wallTime } from "../../src/protocol/time.ts";
import type { SimWorker, SimWorld } from "./sim-worker.ts";

const nothing = () => undefined;

let made = 0;

export class SimSession {
  readonly user: UserId;
  readonly family: FamilyId;
  readonly worker: SimWorker;
  readonly #session: Session;
  readonly #limits: SessionLimits;
  readonly #clock: SimWorld["clock"];
  isReady = false;

  /** The client's handshake: what of it the edge limits, and all that a session begins with. */
  constructor(world: SimWorld, user: UserId, worker: SimWorker) {
    this.user = user;
    this.worker = worker;
    const id = `s${++made}` as SessionId;
    this.family = String(made) as FamilyId;
    const { hub } = worker;
    worker.limits.handshake(user);
    this.#limits = new SessionLimits(worker.limits, user);
    this.#clock = world.clock;
    const session = new Session({
      id,
      identity: {
        userId: user,
        family: this.family,
        issuedAtMs: null,
        expiresAtMs: wallTime(Number.MAX_SAFE_INTEGER),
        endsAtMs: NEVER,
      },
      connection: countingConnection(world),
      contract: NEWEST_CONTRACT,
      limits: this.#limits,
      host: {
        turn: new WriteBatcher(),
        ended: (ended) => hub.sessions.close(ended),
        slow: () => void world.bugs.push(`user ${user} is a slow consumer`),
      },
    });
    this.#session = session;
    hub.sessions.open(session).then(
      (opening) => {
        if (worker.isDead || opening === null || session.isEnded) return;
        session.begin({
          user: opening.user,
          session_id: id,
          server_time: "",
          token_expires_at: "",
          unread: { notifications: 0, conversations: opening.unread },
        });
        hub.sessions.begun(session, opening);
        this.isReady = true;
      },
      (error: unknown) => {
        if (!worker.isDead) world.bugs.push(`user ${user} cannot begin: ${error}`);
      },
    );
  }

  get isOver(): boolean {
    return this.worker.isDead || this.#session.isEnded;
  }

  closes(): void {
    if (!this.worker.isDead) this.worker.hub.sessions.close(this.#session);
  }

  /** A command and its answer; null when the session's worker dies before. */
  async says<E extends ClientEventName>(event: E, payload: ClientPayload<E>): Promise<string> {
    const handle = this.worker.hub.commands[event] as Commands[E];
    this.#limits.take(event, this.#clock.monotonicMs());
    return new Promise((resolve, reject) => {
      const sink = {
        ok: resolve,
        refuse: (error: { message: string }) => reject(new Error(`${event}: ${error.message}`)),
      };
      handle(this.#session, payload, sink)?.catch(reject);
    });
  }
}

function countingConnection({ counts }: SimWorld): Connection {
  return {
    transport: "websocket",
    isOpen: true,
    queuedBytes: 0,
    write: () => counts.add("packets"),
    onceDrained: nothing,
    whenTaken: () => Promise.resolve(),
    pause: nothing,
    resume: nothing,
    stop: nothing,
    carry: nothing,
    close: nothing,
    terminate: nothing,
  };
}
