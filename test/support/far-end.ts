/**
 * A session whose connection ends here: a real Session and Outlet over a long-polling
 * transport that keeps the text of every packet.
 */
import type { Socket as EngineSocket } from "engine.io";
import { Outlet, WriteTurn } from "../../src/edge/socket/outlet.ts";
import { Session } from "../../src/edge/socket/session.ts";
import { SessionLimits } from "../../src/edge/socket/session-limits.ts";
import type { FamilyId, SessionId } from "../../src/protocol/ids.ts";
import { asUserId } from "../../src/protocol/schemas.ts";

export interface FarEndOptions {
  user?: string;
  session?: string;
  family?: string | null;
  expiresAtMs?: number;
  limits?: SessionLimits;
}

let made = 0;

export class FarEnd {
  readonly session: Session;
  /** Socket.IO packets as text, without `ready`. */
  readonly texts: string[] = [];
  readonly closings: boolean[] = [];

  constructor(options: FarEndOptions = {}) {
    const conn = {
      readyState: "open",
      upgrading: false,
      writeBuffer: [],
      transport: { name: "polling" },
      write: (text: string) => {
        if (!text.startsWith('2["ready"')) this.texts.push(text);
      },
    };
    this.session = new Session(
      (options.session ?? `session${++made}`) as SessionId,
      {
        userId: asUserId(options.user ?? "1"),
        family: (options.family ?? null) as FamilyId | null,
        expiresAtMs: options.expiresAtMs ?? Number.MAX_SAFE_INTEGER,
        scope: [],
      },
      new Outlet(conn as unknown as EngineSocket, new WriteTurn(), () => undefined),
      options.limits ?? new SessionLimits(null, options.user ?? "1"),
      { close: (reconnect) => this.closings.push(reconnect) },
    );
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
