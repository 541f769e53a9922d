/**
 * A session whose connection ends here: a real Session over a connection that keeps
 * the text of every packet.
 */

import type { Clock } from "../../src/base/clock.ts";
import { Session } from "../../src/edge/session/session.ts";
import { SessionLimits } from "../../src/edge/session/session-limits.ts";
import { WriteBatcher } from "../../src/edge/transport/write-batcher.ts";
import type { ContractVersion } from "../../src/protocol/contract.ts";
import type { FamilyId, SessionId } from "../../src/protocol/ids.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import { later, type Monotonic, NEVER, type WallTime, wallTime } from "../../src/protocol/time.ts";
import { NearConnection } from "./near-connection.ts";

export interface FarEndOptions {
  user?: string;
  session?: string;
  family?: string | null;
  expiresAtMs?: WallTime;
  endsAtMs?: Monotonic;
  limits?: SessionLimits;
  /** By default version 1. */
  contract?: ContractVersion;
}

let made = 0;

/** The times of a token that expires `inMs` from now. */
export function expiring(clock: Clock, inMs: number) {
  return {
    expiresAtMs: later(clock.wallMs(), inMs),
    endsAtMs: later(clock.monotonicMs(), inMs),
  };
}

export class FarEnd {
  readonly session: Session;
  readonly connection: NearConnection;
  /** Socket.IO packets as text, without `ready`. */
  readonly texts: string[] = [];
  readonly closings: boolean[] = [];

  constructor(options: FarEndOptions = {}) {
    this.connection = new NearConnection((text) => {
      if (!text.startsWith('2["ready"')) this.texts.push(text);
    });
    this.session = new Session({
      id: (options.session ?? `session${++made}`) as SessionId,
      identity: {
        userId: asUserId(options.user ?? "1"),
        family: (options.family ?? null) as FamilyId | null,
        expiresAtMs: options.expiresAtMs ?? wallTime(Number.MAX_SAFE_INTEGER),
        endsAtMs: options.endsAtMs ?? NEVER,
        issuedAtMs: null,
      },
      connection: this.connection,
      ...(options.contract && { contract: options.contract }),
      limits: options.limits ?? new SessionLimits(null, options.user ?? "1"),
      host: {
        turn: new WriteBatcher(),
        ended: (_session, reconnect) => this.closings.push(reconnect),
        slow: () => undefined,
      },
    });
  }

  begins(): this {
    this.session.begin({
      user: { id: this.session.user, username: "", display_name: "", created_at: "" },
      session_id: this.session.id,
      server_time: "",
      token_expires_at: "",
      unread: { notifications: 0, conversations: [] },
    });
    return this;
  }

  /** Everything heard, as `name payload`. */
  get heard(): string[] {
    return this.texts
      .filter((text) => text.startsWith("2"))
      .map((text) => {
        const [name, body] = JSON.parse(text.slice(1)) as [string, unknown];
        return `${name} ${JSON.stringify(body)}`;
      });
  }

  /** The payloads of one event. */
  events(name: string): Record<string, unknown>[] {
    return this.texts
      .filter((text) => text.startsWith(`2["${name}",`))
      .map((text) => (JSON.parse(text.slice(1)) as [string, Record<string, unknown>])[1]);
  }
}
