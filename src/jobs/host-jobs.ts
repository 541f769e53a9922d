/** The handlers of every job of a host, made of what its worker has opened. */
import { exportKey } from "../base/export-files.ts";
import { IMPORT } from "../base/import-files.ts";
import type { WorkerConfig } from "../config/config.ts";
import { erasureJobs } from "./erasure.ts";
import { exportJobs } from "./export.ts";
import { fileJobs, SWEEP_FILES } from "./files.ts";
import { FORGET_CONVERSATION, forgetJobs } from "./forget-conversations.ts";
import { importJobs } from "./import.ts";
import type { JobsOptions } from "./jobs.ts";
import { PREPARE_FILE, prepareJobs } from "./prepare-files.ts";
import { PUSH } from "./push/push.ts";
import { KEEP_MESSAGES, retentionJobs } from "./retention.ts";
import type { JobHandlers } from "./runner.ts";
import { FEED_SEARCH, searchJobs } from "./search.ts";
import { unreadJobs } from "./unread.ts";

/** Pictures that a host makes ready at once. */
export const IMAGES_AT_ONCE = 2;
/** Imports that a host runs at once: one may take hours, and they share a connection. */
const IMPORTS_AT_ONCE = 2;
/** Files about which a host asks the scanner at once. */
const SCANS_AT_ONCE = 8;

type Erasure = Parameters<typeof erasureJobs>[0];
type Export = Parameters<typeof exportJobs>[0];
type Import = Parameters<typeof importJobs>[0];
type Sweep = Parameters<typeof fileJobs>[0];
type Prepare = Parameters<typeof prepareJobs>[0];
type Forget = Parameters<typeof forgetJobs>[0];
type Retention = Parameters<typeof retentionJobs>[0];
type Unread = Parameters<typeof unreadJobs>[0];
type Search = Parameters<typeof searchJobs>[0];

export interface HostJobsOptions {
  config: WorkerConfig;
  storage: {
    files: Sweep["table"] & Prepare["table"];
    erasures: Erasure["store"];
    exports: Export["store"];
    imports: Import["store"];
    jobs: Export["queue"];
    deleted: Forget["store"];
    retention: Retention["store"];
    searchIndex: Search["index"];
    unread: Unread["store"];
  };
  store: Sweep["store"] & Prepare["store"] & Export["files"] & Import["files"];
  retire: Sweep["retire"];
  prepare: Pick<Prepare, "links" | "images" | "scan" | "refresh">;
  gateway: Erasure["gateway"] & Retention["gateway"] & Unread["gateway"];
  readers: Import["readers"];
  push: JobHandlers;
  clock: Search["clock"];
  log: Prepare["log"];
}

export function hostJobs({
  config,
  storage,
  store,
  retire,
  prepare,
  gateway,
  readers,
  push,
  clock,
  log,
}: HostJobsOptions): Pick<JobsOptions, "handlers" | "bounds" | "standing"> {
  const { exports, jobs: queue } = storage;
  const { basePath, messageSearch, unreadAfterS } = config;
  const dropExports = async () => {
    for (const id of await exports.jobs()) await store.remove(exportKey(id));
  };
  return {
    handlers: {
      ...fileJobs({ table: storage.files, store, retire, clock }),
      ...prepareJobs({ table: storage.files, store, ...prepare, log }),
      ...erasureJobs({ store: storage.erasures, gateway, retire, dropExports }),
      ...exportJobs({ store: exports, files: store, queue, basePath, clock }),
      ...importJobs({ store: storage.imports, files: store, readers, clock }),
      ...(messageSearch ? searchJobs({ index: storage.searchIndex, clock, log }) : {}),
      ...forgetJobs({ store: storage.deleted }),
      ...retentionJobs({ store: storage.retention, gateway, log }),
      ...unreadJobs({ store: storage.unread, gateway, afterS: unreadAfterS, log }),
      ...push,
    },
    bounds: {
      [PREPARE_FILE]: prepare.scan === null ? IMAGES_AT_ONCE : SCANS_AT_ONCE,
      [PUSH]: 1,
      [FORGET_CONVERSATION]: 1,
      [IMPORT]: IMPORTS_AT_ONCE,
    },
    standing: [SWEEP_FILES, PUSH, KEEP_MESSAGES, ...(messageSearch ? [FEED_SEARCH] : [])],
  };
}
