/**
 * Storage without a database, for tests: the same ports as ../actor-ports.ts, ../edge-ports.ts
 * and ../recount.ts. Ports made over the same tables see each other's writes, as hosts do.
 */
import type { ActorPorts } from "../../../actors/ports.ts";
import type { AppQueries } from "../../ports/app-actors.ts";
import type { ClientPackages } from "../../ports/client-packages.ts";
import type { AccountStore, Queries } from "../../ports/edge.ts";
import type { ModerationStore } from "../../ports/moderation.ts";
import type { ScheduledStore } from "../../ports/scheduled.ts";
import type { ServiceStore } from "../../ports/services.ts";
import type { RecountStore } from "../../ports/social.ts";
import { MemoryAccounts } from "./accounts.ts";
import { MemoryAppActors } from "./app-actors.ts";
import { MemoryChannels } from "./channels.ts";
import { MemoryClientPackages } from "./client-packages.ts";
import { MemoryConversations } from "./conversations.ts";
import { MemoryGraph } from "./graph.ts";
import { MemoryModeration } from "./moderation.ts";
import { MemoryNotifications } from "./notifications.ts";
import { MemoryPosts } from "./posts.ts";
import { MemoryPrefs } from "./prefs.ts";
import { MemoryQueries } from "./queries.ts";
import { MemoryReactions } from "./reactions.ts";
import { MemoryRecount } from "./recount.ts";
import { MemoryScheduled } from "./scheduled.ts";
import { MemoryServices } from "./services.ts";
import { MemoryStreams } from "./streams.ts";
import { MemoryTables } from "./tables.ts";
import { MemoryThreads } from "./threads.ts";
import { MemoryUsers } from "./users.ts";

export interface MemoryStorage {
  tables: MemoryTables;
  ports: ActorPorts;
  accounts: AccountStore;
  queries: Queries;
  recount: RecountStore;
  clientPackages: ClientPackages;
  services: ServiceStore;
  scheduled: ScheduledStore;
  moderation: ModerationStore;
  apps: AppQueries;
}

export function createMemoryStorage(tables: MemoryTables = new MemoryTables()): MemoryStorage {
  return {
    tables,
    ports: {
      conversations: new MemoryConversations(tables),
      channels: new MemoryChannels(tables),
      users: new MemoryUsers(tables),
      reactions: new MemoryReactions(tables),
      threads: new MemoryThreads(tables),
      streams: new MemoryStreams(tables),
      posts: new MemoryPosts(tables),
      notifications: new MemoryNotifications(tables),
      graph: new MemoryGraph(tables),
      prefs: new MemoryPrefs(tables),
      apps: new MemoryAppActors(tables),
    },
    accounts: new MemoryAccounts(tables),
    queries: new MemoryQueries(tables),
    recount: new MemoryRecount(tables),
    clientPackages: new MemoryClientPackages(tables),
    services: new MemoryServices(tables),
    scheduled: new MemoryScheduled(tables),
    moderation: new MemoryModeration(tables),
    apps: new MemoryAppActors(tables),
  };
}
