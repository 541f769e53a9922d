/**
 * The edge of a simulated worker: the real interests, streams, watches, sessions and commands
 * around the real exchange, put together as src/edge/edge.ts does, without HTTP and sockets.
 */
import type { Clock } from "../../src/clock.ts";
import { Interests } from "../../src/edge/interests.ts";
import { createPresenceReader } from "../../src/edge/presence-reader.ts";
import { type Commands, createCommands } from "../../src/edge/socket/commands.ts";
import { Sessions } from "../../src/edge/socket/sessions.ts";
import { Streams } from "../../src/edge/socket/streams.ts";
import { Watches } from "../../src/edge/socket/watches.ts";
import { createLogger } from "../../src/log.ts";
import type { Queries } from "../../src/ports.ts";
import type { JoinedNote } from "../../src/protocol/actor-ops.ts";
import { REFUSALS } from "../../src/protocol/errors.ts";
import type { UserId } from "../../src/protocol/ids.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import type { Topic } from "../../src/protocol/topics.ts";
import type { Exchange } from "../../src/runtime/exchange.ts";
import type { Frame } from "../../src/runtime/frames.ts";
import type { Placement } from "../../src/runtime/view.ts";

export interface SimEdgeOptions {
  life: string;
  clock: Clock;
  exchange: Exchange;
  queries: Queries;
}

export class SimEdge {
  readonly sessions: Sessions;
  readonly streams: Streams;
  readonly watches: Watches;
  readonly commands: Commands;
  readonly exchange: Exchange;
  readonly #interests: Interests;
  readonly #log = createLogger({ level: "silent" });

  constructor({ life, clock, exchange, queries }: SimEdgeOptions) {
    const log = this.#log;
    const { gateway } = exchange;
    this.exchange = exchange;
    const interests = new Interests({
      clock,
      subscribe: (topics) => exchange.subscribe(topics),
      unsubscribe: (topics) => exchange.unsubscribe(topics),
      onDropped: (topic) => this.#dropped(topic),
    });
    this.#interests = interests;
    const sessionsOf = (user: UserId) => this.sessions.ofUser(user);
    const streams = new Streams({ clock, log, queries, interests, sessionsOf });
    const reader = createPresenceReader(gateway, queries);
    const statuses = (users: readonly UserId[]) => reader.statuses(users);
    const watches = new Watches({ gateway, interests, statuses });
    this.streams = streams;
    this.watches = watches;
    this.sessions = new Sessions({
      life,
      clock,
      log,
      gateway,
      interests,
      streams,
      watches,
      queries,
    });
    this.commands = createCommands({
      life,
      gateway,
      streams,
      watches,
      queries,
      auth: { verify: async () => REFUSALS.unavailable },
      onTokenRefreshed: () => undefined,
    });
  }

  onEvent(event: Frame): void {
    const { placement } = this.exchange;
    if (event.key.startsWith("conversations:")) this.streams.onEvent(event, placement);
    else if (event.key.startsWith("user_status:")) this.watches.onEvent(event, placement);
    else if (event.name === "conversation_joined") this.#joined(event);
  }

  onView(now: Placement, before: Placement): void {
    this.sessions.onView(now, before);
    this.watches.onView(now, before);
    this.streams.onView(now, before);
  }

  die(): void {
    this.sessions.stop();
    this.streams.close();
    this.#interests.close();
    this.exchange.close();
  }

  #joined(event: Frame): void {
    const user = event.key.slice("notifications:".length) as UserId;
    const { conversation_id, rev } = JSON.parse(event.note) as JoinedNote;
    this.streams.joined(this.sessions.ofUser(user), conversation_id, rev, event.body);
    const { kind, members } = JSON.parse(event.body) as Conversation;
    if (kind !== "direct") return;
    const peers = members.map(({ user_id }) => user_id as UserId).filter((id) => id !== user);
    for (const session of this.sessions.ofUser(user)) {
      void this.watches.add(session, peers).then(() => this.watches.prime(peers));
    }
  }

  #dropped(topic: Topic): void {
    if (topic.startsWith("conversations:")) this.streams.dropped(topic);
    else if (topic.startsWith("user_status:")) this.watches.dropped(topic);
  }
}
