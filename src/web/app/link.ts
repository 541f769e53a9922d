/**
 * The Socket.IO connection: connects with a live token, comes back by itself with jitter,
 * renews the token in place, obeys `server_draining` and `session_ended`, and hands every
 * server event to its listener. It knows nothing of conversations; what must happen between
 * `ready` and "online" is the listener's `onReady`.
 */
import { io, type Socket } from "socket.io-client";
import { type ErrorObject, type Result, refused } from "../../protocol/errors.ts";
import type {
  Ack,
  ClientAck,
  ClientEventName,
  ClientPayload,
  ServerEventName,
  ServerPayload,
} from "../../protocol/events.ts";
import type { Account } from "./account.ts";
import type { LinkState } from "./state.ts";

const ANSWER_TIMEOUT_MS = 10_000;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 8_000;
/** After `session_ended {code: "rate_limited"}`: long enough for the bucket to fill again. */
const PENALTY_MS = 5_000;

export type Ask = <E extends ClientEventName>(
  event: E,
  payload: ClientPayload<E>,
) => Promise<Result<ClientAck<E>>>;

export interface LinkListener {
  onState(state: LinkState): void;
  /** A session began. `isCurrent` turns false when it has ended; "online" follows the promise. */
  onReady(ready: ServerPayload<"ready">, isCurrent: () => boolean): Promise<void>;
  onOnline(): void;
  onEvent<E extends LiveEvent>(event: E, payload: ServerPayload<E>): void;
}

const LIVE_EVENTS = [
  "message",
  "message_updated",
  "typing",
  "receipt",
  "conversation_updated",
  "user_status",
  "notification",
  "like_update",
  "comment_update",
] as const satisfies readonly ServerEventName[];
export type LiveEvent = (typeof LIVE_EVENTS)[number];

export interface Link {
  start(): void;
  stop(): void;
  /** Tries now: the network is back, or the person asks for it. */
  retryNow(): void;
  ask: Ask;
}

/** Full jitter above a floor: a crowd that lost its server must not return as one. */
function backoffMs(attempt: number): number {
  const ceilingMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempt);
  return ceilingMs / 2 + (Math.random() * ceilingMs) / 2;
}

export function createLink(account: Account, listener: LinkListener): Link {
  let session = 0;
  let attempt = 0;
  let hasBeenOnline = false;
  let isStopped = true;
  let token = "";
  /** Server's clock minus this one, as `ready` showed it. */
  let skewMs = 0;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let renewalTimer: ReturnType<typeof setTimeout> | undefined;
  /** Set by the server's last words; takes the place of the back-off once. */
  let returnAtMs = 0;

  const socket: Socket = io({
    autoConnect: false,
    // Its own retries know neither the server's wishes nor an expired token.
    reconnection: false,
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    auth: (send) => send({ token }),
  });

  const connect = async (): Promise<void> => {
    clearTimeout(retryTimer);
    if (isStopped || socket.connected) return;
    const answer = await account.accessToken();
    if (isStopped || socket.connected) return;
    if (answer.ok) {
      token = answer.value;
      socket.connect();
    } else if (answer.error.code !== "unauthorized") scheduleConnect(backoffMs(attempt++));
  };

  function scheduleConnect(delayMs: number): void {
    clearTimeout(retryTimer);
    if (isStopped) return;
    listener.onState(
      hasBeenOnline || attempt > 1
        ? { kind: "reconnecting", isOffline: !navigator.onLine }
        : { kind: "connecting" },
    );
    retryTimer = setTimeout(connect, Math.max(delayMs, returnAtMs - Date.now()));
    returnAtMs = 0;
  }

  const halt = (message: string): void => {
    isStopped = true;
    clearTimeout(retryTimer);
    clearTimeout(renewalTimer);
    socket.disconnect();
    listener.onState({ kind: "stopped", message });
  };

  const ask: Ask = async <E extends ClientEventName>(event: E, payload: ClientPayload<E>) => {
    if (!socket.connected) return refused("unavailable", "Not connected right now.");
    try {
      const timed = socket.timeout(ANSWER_TIMEOUT_MS);
      const answer: Ack<ClientAck<E>> = await timed.emitWithAck(event, payload);
      return answer.ok ? { ok: true, value: answer } : { ok: false, error: answer.error };
    } catch (error) {
      // The answer did not come in time, or the connection went away before it.
      console.warn("no answer", event, error);
      return refused("unavailable", "The server did not answer.");
    }
  };

  const renewInPlace = async (): Promise<void> => {
    const answer = await account.renewedToken(token);
    if (!answer.ok) return;
    token = answer.value;
    const accepted = await ask("refresh_token", { token });
    if (!accepted.ok) console.warn("token was not taken", accepted.error);
  };

  socket.on("ready", async (ready: ServerPayload<"ready">) => {
    const mine = ++session;
    skewMs = Date.parse(ready.server_time) - Date.now();
    const isCurrent = (): boolean => mine === session && socket.connected;
    listener.onState({ kind: "syncing" });
    await listener.onReady(ready, isCurrent);
    if (!isCurrent()) return;
    attempt = 0;
    hasBeenOnline = true;
    listener.onState({ kind: "online" });
    listener.onOnline();
  });

  for (const event of LIVE_EVENTS) {
    socket.on(event, (payload) => listener.onEvent(event, payload));
  }

  socket.on("token_expiring", ({ expires_at }: ServerPayload<"token_expiring">) => {
    clearTimeout(renewalTimer);
    const leftMs = Date.parse(expires_at) - skewMs - Date.now();
    renewalTimer = setTimeout(renewInPlace, account.renewalDelayMs(leftMs));
  });

  socket.on("server_draining", ({ reconnect_in_ms }: ServerPayload<"server_draining">) => {
    returnAtMs = Date.now() + reconnect_in_ms;
    clearTimeout(retryTimer);
    // Leave when told, even if the server keeps the socket a little longer.
    retryTimer = setTimeout(() => {
      returnAtMs = 0;
      socket.disconnect();
      void connect();
    }, reconnect_in_ms);
  });

  socket.on("session_ended", ({ code, message, reconnect }: ServerPayload<"session_ended">) => {
    if (reconnect) {
      if (code === "rate_limited") returnAtMs = Date.now() + PENALTY_MS;
      return;
    }
    if (code === "logged_out" || code === "suspended") {
      stop();
      account.end(message);
    } else halt(message);
  });

  socket.on("disconnect", () => {
    session++;
    clearTimeout(renewalTimer);
    if (!isStopped) scheduleConnect(backoffMs(attempt++));
  });

  socket.on("connect_error", async (error: Error & { data?: ErrorObject }) => {
    const refusal = error.data;
    socket.disconnect();
    if (refusal?.code === "token_expired" || refusal?.code === "unauthorized") {
      const renewed = await account.renewedToken(token);
      if (renewed.ok) scheduleConnect(attempt++ === 0 ? 0 : backoffMs(attempt));
      else if (renewed.error.code === "unavailable") scheduleConnect(backoffMs(attempt++));
      return;
    }
    if (refusal?.code === "forbidden") {
      stop();
      account.end(refusal.message);
      return;
    }
    scheduleConnect(Math.max(backoffMs(attempt++), refusal?.retry_after_ms ?? 0));
  });

  const retryNow = (): void => {
    if (socket.connected) return;
    isStopped = false;
    attempt = 0;
    listener.onState(
      hasBeenOnline ? { kind: "reconnecting", isOffline: false } : { kind: "connecting" },
    );
    void connect();
  };
  const onVisible = (): void => {
    if (document.visibilityState === "visible" && !isStopped) retryNow();
  };
  const onOffline = (): void => {
    // The socket may take its ping timeout to notice; what is sent meanwhile would hang.
    if (socket.connected) socket.disconnect();
    scheduleConnect(backoffMs(attempt++));
  };

  function stop(): void {
    isStopped = true;
    session++;
    clearTimeout(retryTimer);
    clearTimeout(renewalTimer);
    removeEventListener("online", retryNow);
    removeEventListener("offline", onOffline);
    document.removeEventListener("visibilitychange", onVisible);
    socket.disconnect();
  }

  return {
    start() {
      isStopped = false;
      addEventListener("online", retryNow);
      addEventListener("offline", onOffline);
      document.addEventListener("visibilitychange", onVisible);
      void connect();
    },
    stop,
    retryNow,
    ask,
  };
}
