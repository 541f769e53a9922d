/** One made-up person: an account, a login, and a connection that reconnects by itself. */
import { systemClock } from "../../base/clock.ts";
import type { ServerEventName, ServerPayload } from "../../protocol/events.ts";
import type { Tokens, User } from "../../protocol/schemas.ts";
import { later, type Monotonic } from "../../protocol/time.ts";
import { type Call, DemoFault, type Method } from "./api.ts";
import { DemoSocket } from "./socket.ts";

/** How long before its expiry an access token is renewed. */
const TOKEN_SPARE_MS = 30_000;

export interface PersonOptions {
  url: string;
  call: Call;
  username: string;
  displayName: string;
  password: string;
  heard<E extends ServerEventName>(who: Person, event: E, payload: ServerPayload<E>): void;
  refused(who: Person, why: unknown): void;
}

export class Person {
  readonly #options: PersonOptions;
  #tokens: Tokens;
  #goodUntilMs: Monotonic;
  #socket: DemoSocket | null = null;

  private constructor(options: PersonOptions, tokens: Tokens) {
    this.#options = options;
    this.#tokens = tokens;
    this.#goodUntilMs = goodUntilMs(tokens);
  }

  /** Registers, or logs in where an earlier demo has. */
  static async enter(options: PersonOptions): Promise<Person> {
    const { call, username, password, displayName } = options;
    try {
      const body = { username, password, display_name: displayName };
      return new Person(options, await call<Tokens>("POST", "/api/auth/register", body));
    } catch (error) {
      if (!(error instanceof DemoFault) || error.code !== "conflict") throw error;
    }
    try {
      const tokens = await call<Tokens>("POST", "/api/auth/login", { username, password });
      return new Person(options, tokens);
    } catch (error) {
      if (!(error instanceof DemoFault) || error.code !== "unauthorized") throw error;
      throw new DemoFault(
        "unauthorized",
        `${username} exists with another password: say it with --password.`,
      );
    }
  }

  get user(): User {
    return this.#tokens.user;
  }

  get username(): string {
    return this.#options.username;
  }

  get socket(): DemoSocket | null {
    return this.#socket;
  }

  get isOnline(): boolean {
    return this.#socket?.isReady === true;
  }

  connects(): void {
    this.#socket ??= new DemoSocket(this.#options.url, {
      token: () => this.#token(),
      heard: (event, payload) => {
        if (event === "token_expiring") void this.#renewsToken();
        this.#options.heard(this, event, payload);
      },
      refused: (why) => this.#options.refused(this, why),
    });
  }

  leaves(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  async call<T>(method: Method, path: string, body?: unknown): Promise<T> {
    return this.#options.call<T>(method, path, body, await this.#token());
  }

  async #token(): Promise<string> {
    if (systemClock.monotonicMs() >= this.#goodUntilMs) await this.#logsIn();
    return this.#tokens.access_token;
  }

  async #logsIn(): Promise<void> {
    const { call, username, password } = this.#options;
    this.#tokens = await call<Tokens>("POST", "/api/auth/login", { username, password });
    this.#goodUntilMs = goodUntilMs(this.#tokens);
  }

  /**
   * Renews the token in place. If that fails the server ends the session, and the next one logs in
   * again.
   */
  async #renewsToken(): Promise<void> {
    try {
      await this.#logsIn();
      await this.#socket?.emit("refresh_token", { token: this.#tokens.access_token });
    } catch (error) {
      this.#options.refused(this, error);
    }
  }
}

function goodUntilMs({ expires_in }: Tokens): Monotonic {
  const lifeMs = Math.max(1_000, expires_in * 1_000 - TOKEN_SPARE_MS);
  return later(systemClock.monotonicMs(), lifeMs);
}
