/** The storage ports of one edge on PostgreSQL. */

import type { AppQueries } from "../../ports/app-actors.ts";
import type { ClientPackages } from "../../ports/client-packages.ts";
import type { DeletedConversations } from "../../ports/deleted-conversations.ts";
import type { AccountStore, Queries } from "../../ports/edge.ts";
import type { ErasureStore } from "../../ports/erasures.ts";
import type { EventLog } from "../../ports/events.ts";
import type { ExportStore } from "../../ports/exports.ts";
import type { FileTable } from "../../ports/files.ts";
import type { ImportStore } from "../../ports/imports.ts";
import type { JobStore } from "../../ports/jobs.ts";
import type { ModerationStore } from "../../ports/moderation.ts";
import type { OpsQueries } from "../../ports/ops.ts";
import type { DeviceStore, PushQueue } from "../../ports/push.ts";
import type { RetentionStore } from "../../ports/retention.ts";
import type { ScheduledStore } from "../../ports/scheduled.ts";
import type { MessageSearch, SearchIndex } from "../../ports/search.ts";
import type { ServiceStore } from "../../ports/services.ts";
import type { UnreadStore } from "../../ports/unread.ts";
import type { UploadTable } from "../../ports/uploads.ts";
import type { WebhookQueue, WebhookStore } from "../../ports/webhooks.ts";
import { PostgresAccounts } from "./accounts.ts";
import { PostgresAppQueries } from "./app-actors.ts";
import { PostgresClientPackages } from "./client-packages.ts";
import type { StorageOptions } from "./connection.ts";
import { PostgresDeletedConversations } from "./deleted-conversations.ts";
import { PostgresDevices } from "./devices.ts";
import { PostgresErasures } from "./erasures.ts";
import { PostgresEventLog } from "./event-log.ts";
import { PostgresExports } from "./exports.ts";
import { PostgresFiles } from "./files.ts";
import { PostgresImports } from "./imports.ts";
import { PostgresJobs } from "./jobs.ts";
import { PostgresModeration } from "./moderation.ts";
import { PostgresOpsQueries } from "./ops-queries.ts";
import { Database } from "./pool.ts";
import { PostgresPushes } from "./pushes.ts";
import { PostgresQueries } from "./queries.ts";
import { PostgresRetention } from "./retention.ts";
import { PostgresScheduled } from "./scheduled.ts";
import { PostgresSearch } from "./search.ts";
import { PostgresSearchIndex } from "./search-index.ts";
import { PostgresServices } from "./services.ts";
import { PostgresUnread } from "./unread.ts";
import { PostgresUploads } from "./uploads.ts";
import { PostgresWebhooks } from "./webhooks.ts";

const CONNECTIONS = 4;
/** Searches have connections of their own: who searches much keeps nobody else waiting. */
const SEARCH_CONNECTIONS = 2;
/** The job of pushes has connections of its own for the same reason. */
const PUSH_CONNECTIONS = 2;

/** All lines of a file are judged together, and a conversation is written in one transaction. */
const IMPORT_DEADLINE_MS = 30 * 60_000;

export interface EdgeStorage {
  accounts: AccountStore;
  queries: Queries;
  ops: OpsQueries;
  clientPackages: ClientPackages;
  devices: DeviceStore;
  pushes: PushQueue;
  services: ServiceStore;
  scheduled: ScheduledStore;
  files: FileTable;
  uploads: UploadTable;
  search: MessageSearch;
  searchIndex: SearchIndex;
  jobs: JobStore;
  moderation: ModerationStore;
  apps: AppQueries;
  erasures: ErasureStore;
  exports: ExportStore;
  imports: ImportStore;
  deleted: DeletedConversations;
  retention: RetentionStore;
  events: EventLog;
  unread: UnreadStore;
  webhooks: WebhookStore & WebhookQueue;
  /** Gives back what it can do without: see pool.ts. */
  spare(): void;
  /** Answers what was asked and leaves the database; the ports reject from then on. */
  close(): Promise<void>;
}

export interface EdgeStorageOptions extends StorageOptions {
  /** Where `url` leads to a pooler: PostgreSQL itself. */
  directUrl?: string;
}

/** Connects with the first use. `url` is a migrated database; see migrate.ts. */
export function createEdgePorts(url: string, options: EdgeStorageOptions = {}): EdgeStorage {
  const database = new Database(url, CONNECTIONS, options);
  const searches = new Database(url, SEARCH_CONNECTIONS, options);
  const pushing = new Database(url, PUSH_CONNECTIONS, options);
  // Through a pooler the deadline would be that of the role's settings.
  const straight =
    options.directUrl === undefined ? options : { ...options, pooling: "none" as const };
  const imports = new Database(options.directUrl ?? url, 1, {
    ...straight,
    deadlineMs: IMPORT_DEADLINE_MS,
  });
  const jobs = new PostgresJobs(database, options.directUrl ?? url);
  return {
    accounts: new PostgresAccounts(database),
    queries: new PostgresQueries(database),
    ops: new PostgresOpsQueries(database, jobs),
    clientPackages: new PostgresClientPackages(database),
    devices: new PostgresDevices(database),
    pushes: new PostgresPushes(pushing),
    services: new PostgresServices(database),
    scheduled: new PostgresScheduled(database),
    files: new PostgresFiles(database),
    uploads: new PostgresUploads(database),
    search: new PostgresSearch(searches),
    searchIndex: new PostgresSearchIndex(searches),
    jobs,
    moderation: new PostgresModeration(database),
    apps: new PostgresAppQueries(database),
    erasures: new PostgresErasures(database),
    exports: new PostgresExports(database),
    imports: new PostgresImports(imports),
    deleted: new PostgresDeletedConversations(database),
    retention: new PostgresRetention(database),
    events: new PostgresEventLog(database),
    unread: new PostgresUnread(database),
    webhooks: new PostgresWebhooks(database),
    spare() {
      database.spare();
      searches.spare();
      pushing.spare();
      imports.spare();
    },
    async close() {
      const all = [database, searches, pushing, imports];
      await Promise.all(all.map((one) => one.close()));
    },
  };
}
