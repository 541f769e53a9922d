/**
 * The login: registers, signs in and out, and keeps the tokens in localStorage so that a
 * reload or a second tab stays signed in. A refresh token can be spent once, and a second use
 * ends the login, so of all tabs one at a time refreshes and the others take what it got.
 */

import { createCaller } from "../../client/index.ts";
import { type ErrorObject, type Result, refused } from "../../protocol/errors.ts";
import type { Tokens, User } from "../../protocol/schemas.ts";
import { createApi } from "./http.ts";
import { SERVER_URL } from "./server-url.ts";

const STORAGE_KEY = "troupe.login";
const BEFORE_KEY = "troupe.signed-in-before";
const REFRESH_LOCK = "troupe.refresh";
/** An access token with less left than this, or a tenth of its life, is renewed before use. */
const SPARE_MS = 10_000;
/**
 * Tabs are processes, and what one writes to localStorage reaches the others a little later:
 * whoever came next at once would read, and spend, the refresh token that was just spent.
 */
const SETTLE_MS = 1_000;
const UNLOCKED_SPREAD_MS = 2_000;

interface Login {
  user: User;
  accessToken: string;
  refreshToken: string;
  lifeMs: number;
  expiresAtMs: number;
}

export interface Account {
  user(): User | null;
  /** Somebody has signed in with this browser. */
  hasSignedInBefore(): boolean;
  signIn(username: string, password: string): Promise<Result<User>>;
  register(username: string, password: string): Promise<Result<User>>;
  /** A token that is good for a while yet, renewed first where it is not. */
  accessToken(): Promise<Result<string>>;
  /** A token other than `stale`, which the server has refused or is about to. */
  renewedToken(stale: string): Promise<Result<string>>;
  signOut(): Promise<void>;
  /** The server has ended this login: forget it and say why. */
  end(message: string): void;
}

function readLogin(): Login | null {
  const text = localStorage.getItem(STORAGE_KEY);
  if (text === null) return null;
  try {
    return JSON.parse(text) as Login;
  } catch (error) {
    // Written by another version or by hand: as good as no login.
    console.warn("stored login is unreadable", error);
    return null;
  }
}

function writeLogin(tokens: Tokens): User {
  const lifeMs = tokens.expires_in * 1000;
  const login: Login = {
    user: tokens.user,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
    lifeMs,
    // By this clock, which need not agree with the server's.
    expiresAtMs: Date.now() + lifeMs,
  };
  localStorage.setItem(STORAGE_KEY, JSON.stringify(login));
  localStorage.setItem(BEFORE_KEY, "yes");
  return tokens.user;
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One tab at a time; resolves as soon as `work` has. */
async function exclusively<T>(work: () => Promise<T>): Promise<T> {
  const locks = (navigator as { locks?: LockManager }).locks;
  if (!locks) {
    // Web Locks exist in secure contexts only. Without them tabs at least do not go together.
    await delay(Math.random() * UNLOCKED_SPREAD_MS);
    return work();
  }
  return new Promise((resolve, reject) => {
    const held = locks.request(REFRESH_LOCK, async () => {
      const result = work();
      resolve(result);
      await result;
      await delay(SETTLE_MS);
    });
    held.catch(reject);
  });
}

/** `onEnded`: the login is over, here or in another tab; a message where there is one to show. */
export function createAccount(onEnded: (message: string | null) => void): Account {
  const call = createApi(createCaller({ url: SERVER_URL }));
  let renewal: Promise<Result<string>> | null = null;

  const end = (message: string | null): void => {
    localStorage.removeItem(STORAGE_KEY);
    onEnded(message);
  };

  const signedOut = (): { ok: false; error: ErrorObject } =>
    refused("unauthorized", "You are signed out.");

  const refresh = async (stale: string): Promise<Result<string>> => {
    const login = readLogin();
    if (!login) return signedOut();
    if (login.accessToken !== stale) return { ok: true, value: login.accessToken };
    const body = { refresh_token: login.refreshToken };
    const answer = await call("POST /api/auth/refresh", body);
    if (answer.ok) {
      // Signed out meanwhile: the answer must not sign in again.
      if (readLogin()?.refreshToken !== login.refreshToken) return signedOut();
      writeLogin(answer.value);
      return { ok: true, value: answer.value.access_token };
    }
    const isOver = ["unauthorized", "token_expired", "forbidden"].includes(answer.error.code);
    if (isOver && readLogin()?.refreshToken === login.refreshToken) {
      end("Your session has ended. Please sign in again.");
    }
    return answer;
  };

  const renewedToken = (stale: string): Promise<Result<string>> => {
    renewal ??= exclusively(() => refresh(stale)).finally(() => {
      renewal = null;
    });
    return renewal;
  };

  const taken = (answer: Result<Tokens>): Result<User> =>
    answer.ok ? { ok: true, value: writeLogin(answer.value) } : answer;

  addEventListener("storage", (event) => {
    if (event.key !== STORAGE_KEY && event.key !== null) return;
    const before = event.oldValue === null ? null : (JSON.parse(event.oldValue) as Login);
    // Another tab signed out, or in as someone else; new tokens of the same user need nothing.
    if (readLogin()?.user.id !== before?.user.id) onEnded(null);
  });

  return {
    user: () => readLogin()?.user ?? null,
    hasSignedInBefore: () => localStorage.getItem(BEFORE_KEY) !== null,
    signIn: async (username, password) =>
      taken(await call("POST /api/auth/login", { username, password })),
    register: async (username, password) =>
      taken(await call("POST /api/auth/register", { username, password })),
    async accessToken() {
      const login = readLogin();
      if (!login) return signedOut();
      const spareMs = Math.min(SPARE_MS, login.lifeMs / 10);
      if (login.expiresAtMs - Date.now() > spareMs) return { ok: true, value: login.accessToken };
      return renewedToken(login.accessToken);
    },
    renewedToken,
    async signOut() {
      const login = readLogin();
      end(null);
      if (!login) return;
      const body = { refresh_token: login.refreshToken };
      const answer = await call("POST /api/auth/logout", body);
      if (!answer.ok) console.warn("logout was not confirmed", answer.error);
    },
    end,
  };
}
