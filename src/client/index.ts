/**
 * The client SDK, `troupe-client`: in browsers and in Node, with socket.io-client beside it.
 *
 *   const client = connect({ url: "https://chat.example.com", getToken });
 *   await online(client);
 *   client.open(id);
 *   client.conversation(id).subscribe(() => render(client.conversation(id).get()));
 *   client.send(id, "Hello"); // goes out now or later, once
 */
import { type Api, createApi, fetchCall } from "./api.ts";
import type { AppTypes } from "./app-data.ts";
import { type Client, type ClientOptions, createClient } from "./client.ts";
import { systemClock } from "./clock.ts";
import { makeSocket, type Transports } from "./socket.ts";
import { createTokens, type GetToken } from "./tokens.ts";

export type { ErrorCode, ErrorObject } from "../protocol/errors.ts";
/** All objects of the contract, as they are on the wire. */
export type {
  Ack,
  ClientAck,
  ClientEventName,
  ClientPayload,
  EndCode,
  ServerEventName,
  ServerPayload,
} from "../protocol/events.ts";
export type * from "../protocol/schemas.ts";
export type * from "../protocol/social.ts";
export type { Api, Call, CallAnswer, CallInput } from "./api.ts";
export type { AppTypes, ConversationOf, MessageOf, UserOf } from "./app-data.ts";
export { type Channels, channelsOf, type NewChannel, type Occupancy } from "./channels.ts";
export type { Client } from "./client.ts";
export { TroupeError } from "./error.ts";
export { type Progress, type UploadOptions, upload, wholeUrl } from "./files.ts";
export { onMessage } from "./fresh.ts";
export { loadMembers } from "./members.ts";
export { online } from "./online.ts";
export type { Sending, SendOptions } from "./outbox.ts";
export { type OwnPrefs, prefsOf } from "./prefs.ts";
export { react } from "./reactions.ts";
export { type Signal, type SignalOptions, type Signals, signalsOf } from "./signals.ts";
export type { ConnectionState, Disconnect, Outgoing } from "./state.ts";
export {
  type OutboxStorage,
  UnreadableOutgoing,
  type WebStorage,
  webOutbox,
} from "./storage.ts";
export { type Readable, select } from "./store.ts";
export { type StreamOptions, type Streams, streamsOf, type Writing } from "./streams.ts";
export { type Threads, threadsOf } from "./threads.ts";
export type { GetToken } from "./tokens.ts";
export { type Users, usersOf } from "./users.ts";
export { type ConversationView, peerOf, progressOf } from "./views.ts";

/** One of the two: `getToken` keeps the session going, `token` lasts until its expiry. */
export type Credentials =
  | { token: string; getToken?: never }
  | { token?: never; getToken: GetToken };

export type ConnectOptions = Credentials &
  Omit<ClientOptions, "getToken"> & {
    /** Where Troupe is, with the path prefix of its proxy if any; default: the page's own origin. */
    url?: string;
    /** Default: WebSocket, with long-polling where that cannot be had. */
    transports?: Transports;
  };

/** 128 random bits. Not randomUUID: that exists in secure contexts only. */
function newClientId(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

const getTokenOf = ({ token, getToken }: Credentials): GetToken => getToken ?? (() => token);

/** Begins to connect, and stays connected until `close`. */
export function connect<A extends AppTypes = AppTypes>(options: ConnectOptions): Client<A> {
  const { url = "", transports = ["websocket", "polling"] } = options;
  const client: Client = createClient(
    { ...options, getToken: getTokenOf(options) },
    {
      clock: systemClock,
      random: Math.random,
      newClientId,
      makeSocket: (handlers) => makeSocket(url, transports, handlers),
      call: fetchCall(url),
      url,
    },
  );
  // What `data` holds is the application's word.
  return client as unknown as Client<A>;
}

/**
 * The contract's HTTP calls alone, for a back end and for signing in. With a service token:
 *
 *   const troupe = createCaller({ url, token });
 *   await troupe("POST /api/notifications", { user_id, type: "order.shipped", message });
 */
export function createCaller(options: { url?: string } & (Credentials | { token?: never })): Api {
  const { url = "" } = options;
  const hasToken = "getToken" in options || options.token !== undefined;
  const tokens = hasToken ? createTokens(getTokenOf(options as Credentials)) : null;
  return createApi(fetchCall(url), tokens);
}
