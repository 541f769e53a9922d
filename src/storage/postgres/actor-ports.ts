/**
 * The storage ports of one actor thread on PostgreSQL: one writer connection, two for reads, and
 * at most four for the other writes, which wait for locks that other hosts hold.
 */
import type { ActorPorts } from "../../../actors/ports.ts";
import { QUEUE_MAX, Writer, type WriterOptions } from "../batching/writer.ts";
import { PostgresAppActors } from "./app-actors.ts";
import { PostgresChannels } from "./channels.ts";
import { DEADLINE_MS } from "./connection.ts";
import { PostgresConversations } from "./conversations.ts";
import { PostgresGraph } from "./graph.ts";
import { PostgresModeration } from "./moderation.ts";
import { PostgresNotifications } from "./notifications.ts";
import { Database } from "./pool.ts";
import { PostgresPosts } from "./posts.ts";
import { PostgresPrefs } from "./prefs.ts";
import { PostgresReactions } from "./reactions.ts";
import { StatisticsRefresher } from "./statistics.ts";
import { PostgresStreams } from "./streams.ts";
import { PostgresThreads } from "./threads.ts";
import { PostgresUsers } from "./users.ts";

const READ_CONNECTIONS = 2;
/** Likes, comments, notifications and preferences have one statement under way each. */
const SOCIAL_CONNECTIONS = 4;

export interface ActorStorage {
  ports: ActorPorts;
  moderation: PostgresModeration;
  /**
   * Takes the writer's connection, then one for reads, so that a database short of connections
   * takes sends first. Resolves within the deadline, with connections or without.
   */
  open(): Promise<void>;
  /** Closes connections that the writer does not need: see pool.ts. */
  spare(): void;
  /** Writes the waiting calls and disconnects; the ports reject from then on. */
  close(): Promise<void>;
}

/** Connects with the first use. `url` is a migrated database; see migrate.ts. */
export function createActorPorts(url: string, options: WriterOptions = {}): ActorStorage {
  const database = new Database(url, READ_CONNECTIONS, options);
  const writes = new Database(url, SOCIAL_CONNECTIONS, options);
  const growth = new StatisticsRefresher(writes);
  const writer = new Writer(url, {
    ...options,
    onCommit(rows, seconds) {
      growth.wrote(rows);
      options.onCommit?.(rows, seconds);
    },
  });
  const limits = {
    deadlineMs: options.deadlineMs ?? DEADLINE_MS,
    queueMax: options.queueMax ?? QUEUE_MAX,
  };
  const posts = new PostgresPosts(database, writes, limits);
  const notifications = new PostgresNotifications(database, writes, limits);
  const prefs = new PostgresPrefs(database, writes, limits);
  const apps = new PostgresAppActors(database, writes, limits);
  const conversations = new PostgresConversations(database, writer);
  return {
    ports: {
      conversations,
      channels: new PostgresChannels(database),
      threads: new PostgresThreads(writer, conversations),
      streams: new PostgresStreams(database, writer),
      users: new PostgresUsers(database),
      reactions: new PostgresReactions(database, writer),
      posts,
      notifications,
      prefs,
      apps,
      graph: new PostgresGraph(database, writes),
    },
    moderation: new PostgresModeration(database),
    async open() {
      await writer.open();
      await database.reach();
    },
    spare() {
      database.spare();
      writes.spare();
    },
    async close() {
      await Promise.all([writer, posts, notifications, prefs, apps].map((one) => one.close()));
      await Promise.all([database.close(), writes.close()]);
    },
  };
}
