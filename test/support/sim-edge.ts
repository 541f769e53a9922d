/** The edge of a simulated worker: the real hub around the real exchange. */
import type { Clock } from "../../src/base/clock.ts";
import { createLogger } from "../../src/base/log.ts";
import type { Commands } from "../../src/edge/commands/handler.ts";
import { Hub } from "../../src/edge/hub.ts";
import { PageTurns } from "../../src/edge/limits/turns.ts";
import type { Streams } from "../../src/edge/live/conversation-streams.ts";
import type { Watches } from "../../src/edge/live/presence-watches.ts";
import type { Sessions } from "../../src/edge/live/sessions.ts";
import type { Queries } from "../../src/ports/edge.ts";
import type { AppKinds } from "../../src/protocol/app-kinds.ts";
import { REFUSALS } from "../../src/protocol/errors.ts";
import type { Exchange } from "../../src/runtime/exchange.ts";
import type { Frame } from "../../src/runtime/frames.ts";
import type { Placement } from "../../src/runtime/view.ts";

export interface SimEdgeOptions {
  incarnation: string;
  clock: Clock;
  exchange: Exchange;
  queries: Queries;
  /** The application's own actors, if there are any. */
  appKinds?: AppKinds;
  /** Conversations that may be live in one session. */
  liveMax?: number;
}

export class SimEdge {
  readonly commands: Commands;
  readonly exchange: Exchange;
  readonly sessions: Sessions;
  readonly streams: Streams;
  readonly watches: Watches;
  readonly #hub: Hub;

  constructor(options: SimEdgeOptions) {
    this.exchange = options.exchange;
    this.#hub = new Hub({
      ...options,
      links: { in: (text) => text },
      auth: { verify: async () => REFUSALS.unavailable },
      pages: new PageTurns(),
      onRevoked: () => undefined,
      readRevoked: async () => () => false,
      log: createLogger({ level: "silent" }),
    });
    this.commands = this.#hub.commands;
    this.sessions = this.#hub.sessions;
    this.streams = this.#hub.streams;
    this.watches = this.#hub.watches;
  }

  onEvent(event: Frame): void {
    this.#hub.onEvent(event);
  }

  onView(now: Placement, before: Placement): void {
    this.#hub.onView(now, before);
  }

  die(): void {
    this.#hub.close();
    this.exchange.close();
  }
}
