/**
 * Every rate limit: what it counts, its variable, its default, and what goes wrong when it is
 * too small or too large. Part of the configuration's table (keys.ts); how they are kept
 * is src/edge/limits/limits.ts.
 */
import type { Allowance } from "../base/token-bucket.ts";
import type { ConfigKey, Read } from "./key.ts";

export const LIMIT_KINDS = [
  "send",
  "append",
  "react",
  "typing",
  "signal",
  "call",
  "create_actor",
  "mark",
  "read",
  "watch",
  "bad",
  "session",
  "namespace",
  "refused",
  "ended",
  "handshake",
  "create",
  "add",
  "change",
  "upload",
  "search",
  "conversation_change",
  "report",
  "http_user",
  "http_address",
  "operations",
  "auth",
  "register",
  "login",
  "login_account",
  "login_address",
] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number];
/** Null: not limited. */
export type Limits = Readonly<Record<LimitKind, Allowance | null>>;

const PERIODS_S: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600 };
const COUNT_MAX = 10_000_000;
const FORM = /^(\d{1,8}) ?\/ ?(s|min|h)(?: +burst +(\d{1,8}))?$/;

/** "100/s burst 1000", "10/min" (its own burst), or "off". */
export function readAllowance(text: string): Read<Allowance | null> {
  const word = text.toLowerCase();
  if (word === "off") return { ok: true, value: null };
  const [, count = "", period = "", burst = count] = FORM.exec(word) ?? [];
  const isIn = (n: number) => n >= 1 && n <= COUNT_MAX;
  const periodS = PERIODS_S[period];
  if (periodS === undefined || !isIn(Number(count)) || !isIn(Number(burst))) return { ok: false };
  return { ok: true, value: { perS: Number(count) / periodS, burst: Number(burst) } };
}

function key(
  name: string,
  initial: string,
  meaning: string,
  tooSmall: string,
  tooLarge: string,
): ConfigKey<Allowance | null> {
  return {
    name: `RATE_LIMIT_${name}`,
    meaning,
    unit: "a rate, and how many at once",
    default: initial,
    wants: 'like "100/s burst 1000" (per s, min or h; 1 to 10000000; no burst: as many), or off',
    tooSmall,
    tooLarge,
    read: readAllowance,
  };
}

export const LIMIT_KEYS = {
  send: key(
    "SEND",
    "100/s burst 1000",
    "sends, edits and deletions by one user",
    "an outbox that empties after hours offline is refused",
    "one user can fill the database and drown a conversation",
  ),
  append: key(
    "APPEND",
    "120/s burst 600",
    "appends to streamed messages by one user",
    "five streams at 20 pieces a second stall",
    "each is work for the conversation's actor, and its text goes to all members",
  ),
  react: key(
    "REACT",
    "10/s burst 50",
    "reactions added or taken away by one user; a key taken away for all counts as ten",
    "somebody who goes through a busy conversation is refused",
    "each flush of reactions is a row to write and an event to all members",
  ),
  typing: key(
    "TYPING",
    "50/s burst 500",
    "typing events by one user's sessions",
    "typing in several conversations stops showing",
    "one user can keep every member of a large group busy",
  ),
  signal: key(
    "SIGNAL",
    "60/s burst 200",
    "signals by one user; one that more than 20 receive counts once for every 20 of them",
    "a shared cursor or a game stutters",
    "one user can keep every member of a large group busy",
  ),
  call: key(
    "CALL",
    "50/s burst 200",
    "actions of the application's own actors called by one user",
    "a game or a shared document that calls often is refused",
    "each runs the application's code and may be a row to write",
  ),
  create_actor: key(
    "CREATE_ACTOR",
    "30/min",
    "actors of the application's own made by one user",
    "somebody who opens many rooms in a row is refused",
    "each is a row that stays until it is destroyed",
  ),
  mark: key(
    "MARK",
    "200/s burst 2000",
    "delivered and read marks by one user",
    "a client that catches up on many conversations is refused",
    "each mark is a receipt to all members and a row to write",
  ),
  read: key(
    "READ",
    "20/s burst 600",
    "units of join_conversation, leave_conversation and sync by one user's sessions: 50 messages or conversations are one",
    "a client with a long list cannot enter its conversations after a reconnect",
    "the dearest events: each can read 1,000 messages",
  ),
  watch: key(
    "WATCH",
    "20/s burst 200",
    "units of watches, set_status and refresh_token by one user's sessions: 25 watched users or posts are one",
    "a page that shows many people or posts is refused",
    "watches cost subscriptions on every worker",
  ),
  bad: key(
    "BAD",
    "20/s burst 200",
    "events that are not in the contract or whose payload is refused, by one user's sessions",
    "a client of a newer version that falls back is refused before it finds out",
    "nonsense is answered for nothing",
  ),
  session: key(
    "SESSION",
    "500/s burst 200",
    "packets of any kind from one session; faster ones wait, and are not read meanwhile",
    "a busy client is slowed down",
    "one connection can take a worker's whole time",
  ),
  namespace: key(
    "NAMESPACE",
    "100/s burst 500",
    "packets of one socket in a namespace of the application's own",
    "a game or an editor that sends often is refused",
    "one socket can take the application's handlers, and so the worker, for itself",
  ),
  refused: key(
    "REFUSED",
    "30/s burst 300",
    "rate_limited answers to one session before it is ended",
    "a client that is clumsy rather than hostile loses its connection",
    "a flood goes on for longer",
  ),
  ended: key(
    "ENDED",
    "6/min burst 1",
    "sessions of one user ended for abuse; past it the user's handshakes are refused",
    "a user whose one device runs wild is locked out for long",
    "who was ended comes back at once and goes on",
  ),
  handshake: key(
    "HANDSHAKE",
    "5/s burst 200",
    "sessions opened by one user",
    "many tabs or devices cannot return together after a restart",
    "each costs a read of the user's conversations",
  ),
  create: key(
    "CREATE",
    "30/min burst 60",
    "groups made by one user",
    "somebody who sets up a project's groups is refused",
    "one user can fill others' lists with groups",
  ),
  add: key(
    "ADD",
    "1000/h burst 2000",
    "users whom one user adds to conversations, those named when one is made included",
    "a large group cannot be made in one go, or its members moved into another",
    "one user can take everybody into conversations, and each is a row and an event",
  ),
  change: key(
    "CHANGE",
    "5/s burst 50",
    "changes of titles and members by one user",
    "somebody who tidies up many groups is refused",
    "each is read by every member of its conversation",
  ),
  upload: key(
    "UPLOAD",
    "60/min burst 120",
    "uploads that one user begins",
    "somebody who sends an album is refused",
    "each is a file to write and to look at",
  ),
  search: key(
    "SEARCH",
    "5/s burst 20",
    "searches of messages by one user",
    "somebody who types what they look for is refused",
    "each may look at the words of all messages that the user may read",
  ),
  conversation_change: key(
    "CONVERSATION_CHANGE",
    "1/s burst 20",
    "changes of title and members in one conversation by all its members; leaving is not counted",
    "members who set a group up together are refused",
    "a few members can keep all others' clients busy",
  ),
  report: key(
    "REPORT",
    "20/h",
    "reports by one user",
    "somebody who comes across a lot of abuse cannot report it all",
    "one user can fill the moderators' list",
  ),
  http_user: key(
    "HTTP_USER",
    "100/s burst 600",
    "units of HTTP calls of one user: most calls are one, a page of 100 is ten",
    "a client that loads its lists is refused",
    "one loop can take the database's time",
  ),
  http_address: key(
    "HTTP_ADDRESS",
    "2000/s burst 10000",
    "units of HTTP calls from one address (an IPv6 /64), with or without a good token",
    "an office, or everybody behind a proxy without TRUST_PROXY, is one address",
    "bad tokens can be tried as fast as they are sent",
  ),
  operations: key(
    "OPERATIONS",
    "100/s burst 3000",
    "units of /healthz, /readyz and /metrics from one address: /metrics is ten",
    "a monitor or proxy that asks often is refused, and takes the host for a broken one",
    "anybody can keep every worker of a host busy with counting",
  ),
  auth: key(
    "AUTH",
    "20/s burst 1000",
    "register, login, refresh and logout from one address",
    "after a deploy a whole office refreshes at once, from one address",
    "logins take the processor",
  ),
  // 0.17 a second for as long as somebody goes on; the burst is for a school, an office or an
  // event that begins to use the product on one day, behind one address.
  register: key(
    "REGISTER",
    "10/min burst 500",
    "accounts made from one address",
    "people who begin together, behind one address, cannot all make their accounts",
    "one program makes thousands of accounts an hour, and each takes 0.15 s of a core",
  ),
  // OWASP ASVS 2.2.1: at most 100 wrong passwords an hour for one account. The first hour has burst
  // and rate of `login_account`: 100 from all addresses from which its owner never logged in.
  login: key(
    "LOGIN",
    "1/min burst 10",
    "wrong passwords for one account from one address",
    "people who mistype wait",
    "a weak password is found by trying",
  ),
  login_account: key(
    "LOGIN_ACCOUNT",
    "50/h burst 50",
    "wrong passwords for one account from all addresses where its owner has not logged in before",
    "others can make an owner wait who logs in from a new address",
    "a weak password is found by trying from many addresses",
  ),
  login_address: key(
    "LOGIN_ADDRESS",
    "60/min burst 300",
    "wrong passwords from one address",
    "an office's mistypes add up",
    "one common password can be tried on every account",
  ),
} as const satisfies Record<LimitKind, ConfigKey<Allowance | null>>;

/** Variables that `env` does not set have their defaults; the configuration reports wrong texts. */
export function limitsBy(
  read: (key: ConfigKey<Allowance | null>, unset: Allowance | null) => Allowance | null,
): Limits {
  const limits = LIMIT_KINDS.map((kind) => {
    const one: ConfigKey<Allowance | null> = LIMIT_KEYS[kind];
    const unset = one.read(one.default);
    if (!unset.ok) throw new Error(`${one.name} has a default that it refuses`);
    return [kind, read(one, unset.value)] as const;
  });
  return Object.fromEntries(limits) as Record<LimitKind, Allowance | null>;
}

export const DEFAULT_LIMITS: Limits = limitsBy((_key, unset) => unset);
