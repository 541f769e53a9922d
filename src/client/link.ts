/**
 * The connection: reconnects by itself with jitter, renews the token in place, and follows
 * `server_draining` and `session_ended`. It knows nothing about conversations.
 *
 * connecting → (`ready`) syncing → (`onReady` is done) online → (lost) waiting → connecting …
 * `close`, a refused login and `session_ended {reconnect: false}` lead to closed, from where
 * only `retryNow` leads back.
 */
import type { ErrorObject, Result } from "../protocol/errors.ts";
import type {
  ClientAck,
  ClientEventName,
  ClientPayload,
  EndCode,
  ServerEventName,
  ServerPayload,
} from "../protocol/events.ts";
import { epochMsOf, later, type Monotonic, monotonic, msBetween } from "../protocol/time.ts";
import { backOffMs } from "./back-off.ts";
import type { ClientPorts } from "./ports.ts";
import type { ConnectionState, Disconnect } from "./state.ts";
import type { Tokens } from "./tokens.ts";

const ANSWER_DEADLINE_MS = 10_000;
/** The longest time from the start of a connection to its `ready`. */
const READY_DEADLINE_MS = 20_000;
/** After `session_ended {code: "rate_limited"}`: long enough for a bucket to fill again. */
const PENALTY_MS = 5_000;
/** At least this long before expiry there is no hurry to renew: `token_expiring` gives 60 s. */
const NOTICE_MS = 55_000;

/** `take` is called with the answer before any event that came after it. */
export type Ask = <E extends ClientEventName>(
  event: E,
  payload: ClientPayload<E>,
  take?: (answer: ClientAck<E>) => void,
) => Promise<Result<ClientAck<E>>>;

export interface LinkOptions {
  ports: ClientPorts;
  tokens: Tokens;
  onState(state: ConnectionState): void;
  /**
   * A session began. `isCurrent` turns false when it ends; the state becomes "online" once the
   * promise resolves.
   */
  onReady(ready: ServerPayload<"ready">, isCurrent: () => boolean): Promise<void>;
  onEvent(name: ServerEventName, payload: unknown): void;
}

export interface Link {
  start(): void;
  close(): void;
  /** Tries to connect now, also after it was closed. */
  retryNow(): void;
  /** The device reports that the network is gone; sends would hang until a timeout. */
  lost(): void;
  ask: Ask;
}

export function createLink({ ports, tokens, onState, onReady, onEvent }: LinkOptions): Link {
  const { clock, random } = ports;
  let session = 0;
  let attempt = 0;
  /** No connection attempt is under way; a timer may be. */
  let isIdle = true;
  let isStopped = true;
  let token = "";
  /** A token that the server no longer accepts. */
  let stale: string | null = null;
  /** The token was asked for because the server refused another; none has been accepted since. */
  let isRenewed = false;
  /** The reason that the server gave before it closed the connection. */
  let farewell: Extract<Disconnect, { by: "server" }> | null = null;
  /** The server asked the client to return at this time; in the past when it did not. */
  let returnAtMs = monotonic(0);
  /** The local moment at which the server's wall clock, by `ready`, would have shown the epoch. */
  let serverZeroMs = monotonic(0);
  let cancelNext = (): void => undefined;
  let cancelRenewal = (): void => undefined;

  const end = (): void => {
    session++;
    isIdle = true;
    cancelNext();
    cancelRenewal();
    socket.close();
  };

  const stop = (reason: Disconnect): void => {
    end();
    isStopped = true;
    returnAtMs = monotonic(0);
    onState({ is: "closed", reason });
  };

  const refused = ({ code, message }: ErrorObject): Disconnect => ({
    by: "refused",
    code,
    message,
  });

  const lost = (detail: string): void => {
    if (!isStopped) wait({ by: "network", detail });
  };

  const wait = (reason: Disconnect, leastMs = 0): void => {
    end();
    if (isStopped) return;
    const wishMs = msBetween(clock.monotonicMs(), returnAtMs);
    // A draining server spreads its clients itself, so no jitter is added.
    const delayMs = wishMs > 0 ? wishMs : Math.max(leastMs, backOffMs(attempt, random()));
    returnAtMs = monotonic(0);
    const retryAtMs = epochMsOf(later(clock.wallMs(), delayMs));
    onState({ is: "waiting", reason, attempt, retryAtMs });
    attempt++;
    cancelNext = clock.after(delayMs, connect);
  };

  async function connect(): Promise<void> {
    end();
    const mine = session;
    isIdle = false;
    farewell = null;
    onState({ is: "connecting", attempt });
    const answer = await (stale === null ? tokens.current() : tokens.renewed(stale));
    if (mine !== session || isStopped) return;
    if (!answer.ok) {
      refusedBy(answer.error);
      return;
    }
    isRenewed = stale !== null;
    stale = null;
    token = answer.value;
    cancelNext = clock.after(READY_DEADLINE_MS, () => lost("no ready"));
    socket.open(token);
  }

  function refusedBy(error: ErrorObject): void {
    const reason = refused(error);
    if (/^(unauthorized|forbidden)$/.test(error.code)) stop(reason);
    else wait(reason, error.retry_after_ms);
  }

  /**
   * The server wants another token. The client asks for one at once, however long the outage
   * before was; if the server refuses that one as well, the client waits before each further one.
   */
  function renew(reason: Disconnect): void {
    stale = token;
    if (isRenewed) wait(reason);
    else void connect();
  }

  const ask: Ask = (event, payload, take) =>
    new Promise((resolve) => {
      socket.ask(event, payload, ANSWER_DEADLINE_MS, (answer) => {
        if (answer.ok) take?.(answer.value);
        resolve(answer);
      });
    });

  async function renewInPlace(endsAtMs: Monotonic): Promise<void> {
    const mine = session;
    const answer = await tokens.renewed(token);
    if (mine !== session) return;
    if (answer.ok) {
      token = answer.value;
      if ((await ask("refresh_token", { token })).ok || mine !== session) return;
    }
    // The session continues until the token expires and then reconnects with another.
    renewLater(endsAtMs);
  }

  /** Renews within a second when there is time enough, else after half of the time left. */
  function renewLater(endsAtMs: Monotonic): void {
    const leftMs = msBetween(clock.monotonicMs(), endsAtMs);
    if (leftMs <= 0) return;
    const delayMs = leftMs > NOTICE_MS ? random() * 1_000 : leftMs / 2;
    cancelRenewal();
    cancelRenewal = clock.after(delayMs, () => void renewInPlace(endsAtMs));
  }

  async function begin(ready: ServerPayload<"ready">): Promise<void> {
    const mine = ++session;
    const { session_id: sessionId, server_time } = ready;
    cancelNext();
    isRenewed = false;
    serverZeroMs = later(clock.monotonicMs(), -Date.parse(server_time));
    const isCurrent = (): boolean => mine === session;
    onState({ is: "syncing", sessionId });
    await onReady(ready, isCurrent);
    if (!isCurrent()) return;
    attempt = 0;
    onState({ is: "online", sessionId });
  }

  const socket = ports.makeSocket({
    onEvent(name, payload) {
      if (isStopped) return;
      switch (name) {
        case "ready":
          void begin(payload as ServerPayload<"ready">);
          break;
        case "token_expiring": {
          const { expires_at } = payload as ServerPayload<"token_expiring">;
          const nowMs = clock.monotonicMs();
          const endsAtMs = later(serverZeroMs, Date.parse(expires_at));
          // The token is still good, so a time in the past means that the server's clock was set
          // back after `ready`. The server then still gives its usual notice.
          const isPast = msBetween(nowMs, endsAtMs) <= 0;
          renewLater(isPast ? later(nowMs, NOTICE_MS) : endsAtMs);
          break;
        }
        case "server_draining": {
          const { reconnect_in_ms } = payload as ServerPayload<"server_draining">;
          returnAtMs = later(clock.monotonicMs(), reconnect_in_ms);
          cancelNext();
          cancelNext = clock.after(reconnect_in_ms, () => {
            returnAtMs = monotonic(0);
            void connect();
          });
          break;
        }
        case "session_ended": {
          const { code, message, reconnect } = payload as ServerPayload<"session_ended">;
          farewell = { by: "server", code: code as EndCode, message };
          if (!reconnect) stop(farewell);
          else if (code === "rate_limited") returnAtMs = later(clock.monotonicMs(), PENALTY_MS);
          break;
        }
        default:
          onEvent(name, payload);
      }
    },
    onClosed(detail) {
      if (isStopped) return;
      if (farewell?.code === "token_expired") renew(farewell);
      else wait(farewell ?? { by: "network", detail });
    },
    onRefused(refusal, detail) {
      if (isStopped) return;
      if (!refusal) lost(detail);
      else if (/^(token_expired|unauthorized)$/.test(refusal.code)) renew(refused(refusal));
      else refusedBy(refusal);
    },
  });

  return {
    start() {
      isStopped = false;
      void connect();
    },
    close: () => stop({ by: "client" }),
    retryNow() {
      if (!isIdle) return;
      isStopped = false;
      attempt = 0;
      void connect();
    },
    lost: () => lost("offline"),
    ask,
  };
}
