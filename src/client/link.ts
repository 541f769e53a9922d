/**
 * The connection: comes back by itself with jitter, renews the token in place, obeys
 * `server_draining` and `session_ended`. It knows nothing of conversations.
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
import { backOffMs } from "./back-off.ts";
import type { ClientPorts } from "./ports.ts";
import type { ConnectionState, Disconnect } from "./state.ts";
import type { Tokens } from "./tokens.ts";

const ANSWER_DEADLINE_MS = 10_000;
/** From the start of a connection to its `ready`. */
const READY_DEADLINE_MS = 20_000;
/** After `session_ended {code: "rate_limited"}`: long enough for a bucket to fill again. */
const PENALTY_MS = 5_000;
/** Where `token_expiring` leaves as much time as the contract says, or nearly. */
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
  /** A session began. `isCurrent` turns false with its end; "online" follows the promise. */
  onReady(ready: ServerPayload<"ready">, isCurrent: () => boolean): Promise<void>;
  onEvent(name: ServerEventName, payload: unknown): void;
}

export interface Link {
  start(): void;
  close(): void;
  /** Tries now, also where it was closed. */
  retryNow(): void;
  /** The network is gone, as the machine knows: what is sent would hang until a timeout. */
  lost(): void;
  ask: Ask;
}

export function createLink({ ports, tokens, onState, onReady, onEvent }: LinkOptions): Link {
  const { clock, random } = ports;
  let session = 0;
  let attempt = 0;
  /** Nothing is under way but, perhaps, a timer. */
  let isIdle = true;
  let isStopped = true;
  let token = "";
  /** What the server does not take any more. */
  let stale: string | null = null;
  /** What the server said before it closed the connection. */
  let farewell: Extract<Disconnect, { by: "server" }> | null = null;
  /** Not before this; the server's wish. 0: none. */
  let returnAtMs = 0;
  /** This machine's clock at `expires_at`, for the server's need not agree with it. */
  let skewMs = 0;
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
    returnAtMs = 0;
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
    const nowMs = clock.nowMs();
    const wishMs = returnAtMs - nowMs;
    // The server spreads those it sends away by itself.
    const delayMs = wishMs > 0 ? wishMs : Math.max(leastMs, backOffMs(attempt, random()));
    returnAtMs = 0;
    onState({ is: "waiting", reason, attempt, retryAtMs: nowMs + delayMs });
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

  /** The server wants another token: at once, but not twice in a row. */
  function renew(reason: Disconnect): void {
    stale = token;
    if (attempt++ === 0) void connect();
    else wait(reason);
  }

  const ask: Ask = (event, payload, take) =>
    new Promise((resolve) => {
      socket.ask(event, payload, ANSWER_DEADLINE_MS, (answer) => {
        if (answer.ok) take?.(answer.value);
        resolve(answer);
      });
    });

  async function renewInPlace(expiresAtMs: number): Promise<void> {
    const mine = session;
    const answer = await tokens.renewed(token);
    if (mine !== session) return;
    if (answer.ok) {
      token = answer.value;
      if ((await ask("refresh_token", { token })).ok || mine !== session) return;
    }
    // The session goes on until the token's end, and comes back with another.
    renewLater(expiresAtMs);
  }

  /** At once where there is time enough, in the middle of what is left else. */
  function renewLater(expiresAtMs: number): void {
    const leftMs = expiresAtMs + skewMs - clock.nowMs();
    if (leftMs <= 0) return;
    const delayMs = leftMs > NOTICE_MS ? random() * 1_000 : leftMs / 2;
    cancelRenewal();
    cancelRenewal = clock.after(delayMs, () => void renewInPlace(expiresAtMs));
  }

  async function begin(ready: ServerPayload<"ready">): Promise<void> {
    const mine = ++session;
    const { session_id: sessionId, server_time } = ready;
    cancelNext();
    skewMs = clock.nowMs() - Date.parse(server_time);
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
        case "token_expiring":
          renewLater(Date.parse((payload as ServerPayload<"token_expiring">).expires_at));
          break;
        case "server_draining": {
          const { reconnect_in_ms } = payload as ServerPayload<"server_draining">;
          returnAtMs = clock.nowMs() + reconnect_in_ms;
          cancelNext();
          cancelNext = clock.after(reconnect_in_ms, () => {
            returnAtMs = 0;
            void connect();
          });
          break;
        }
        case "session_ended": {
          const { code, message, reconnect } = payload as ServerPayload<"session_ended">;
          farewell = { by: "server", code: code as EndCode, message };
          if (!reconnect) stop(farewell);
          else if (code === "rate_limited") returnAtMs = clock.nowMs() + PENALTY_MS;
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
