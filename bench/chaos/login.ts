/** One login of a person: keeps a valid access token, whichever host answers. */
import type { Tokens } from "../../src/protocol/schemas.ts";
import { api } from "../support/api.ts";

const PASSWORD = "a chaos password";
/** Renewed this long before it ends. */
const AHEAD_MS = 15_000;

export class Login {
  readonly userId: string;
  readonly username: string;
  #access: string;
  #refresh: string;
  #endsAtMs: number;
  #renewing: Promise<boolean> | null = null;

  private constructor(tokens: Tokens, askedAtMs: number) {
    this.userId = tokens.user.id;
    this.username = tokens.user.username;
    this.#access = tokens.access_token;
    this.#refresh = tokens.refresh_token;
    this.#endsAtMs = askedAtMs + tokens.expires_in * 1000;
  }

  static async register(port: number, username: string): Promise<Login> {
    return Login.#ask(port, "/api/auth/register", username);
  }

  static async again(port: number, username: string): Promise<Login> {
    return Login.#ask(port, "/api/auth/login", username);
  }

  static async #ask(port: number, path: string, username: string): Promise<Login> {
    const askedAtMs = performance.now();
    const body = { username, password: PASSWORD };
    const answer = await api<Tokens>(port, "POST", path, { body, deadlineMs: 30_000 });
    if (answer.body === null || answer.status >= 300) {
      throw new Error(`${path} of ${username} answered ${answer.status}`);
    }
    return new Login(answer.body, askedAtMs);
  }

  get token(): string {
    return this.#access;
  }

  get isStale(): boolean {
    return performance.now() > this.#endsAtMs - AHEAD_MS;
  }

  /** Resolves with whether there is a new token; concurrent calls share one request. */
  renew(port: number): Promise<boolean> {
    this.#renewing ??= this.#renew(port).finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  async #renew(port: number): Promise<boolean> {
    const askedAtMs = performance.now();
    const spent = { refresh_token: this.#refresh };
    let answer = await api<Tokens>(port, "POST", "/api/auth/refresh", { body: spent });
    if (answer.status === 401) {
      // If an answer was lost, the refresh token is spent; a person would sign in again.
      const body = { username: this.username, password: PASSWORD };
      answer = await api<Tokens>(port, "POST", "/api/auth/login", { body });
    }
    if (answer.status !== 200 || answer.body === null) return false;
    this.#access = answer.body.access_token;
    this.#refresh = answer.body.refresh_token;
    this.#endsAtMs = askedAtMs + answer.body.expires_in * 1000;
    return true;
  }
}
