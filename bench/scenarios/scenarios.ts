/** All scenarios, in the order in which they run. */
import { CONNECT, IDLE, STORM } from "./come-and-go.ts";
import { COMMENTS, FEED, HISTORY, LIKES, LOGIN, MESSAGES } from "./http.ts";
import type { Scenario } from "./scenario.ts";
import { CHANNEL, DURABLE, FANOUT, LATENCY, PRESENCE, TYPING } from "./talk.ts";

export const SCENARIOS: readonly Scenario[] = [
  FANOUT,
  CHANNEL,
  DURABLE,
  LATENCY,
  TYPING,
  PRESENCE,
  CONNECT,
  STORM,
  LIKES,
  COMMENTS,
  MESSAGES,
  HISTORY,
  FEED,
  LOGIN,
  IDLE,
];
