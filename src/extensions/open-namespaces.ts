/** The application's namespaces in one worker: opened at its start, and replaced by a reload. */
import type { Server } from "socket.io";
import { StartRefusal } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Extensions } from "../config/extensions.ts";
import { type LoadedNamespace, load, placeIn } from "./load.ts";
import type { RenewedPart } from "./renewal.ts";

/** The part of the edge that holds them. */
interface Edge {
  sockets: { io: Server; namespaces: Set<string> };
  namespaces: {
    open(io: Server, defined: readonly LoadedNamespace[]): Promise<void>;
    reload(io: Server, names: Set<string>, defined: readonly LoadedNamespace[]): Promise<void>;
    failed(file: string, fault: unknown): void;
  } | null;
}

export async function openNamespaces(
  { sockets, namespaces }: Edge,
  extensions: Extensions,
  log: Log,
): Promise<RenewedPart> {
  const { dir } = extensions;
  allowListeners(extensions);
  const loaded = await loadNamespaces(extensions);
  if (typeof loaded === "string") throw new StartRefusal(loaded);
  // What handlers leave behind them, such as a timer that throws. Anything else is this server's own
  // fault, and ends the worker.
  const caught = (fault: unknown) => {
    const place = fault instanceof Error ? placeIn(dir, fault) : "";
    if (place !== null) {
      namespaces?.failed(place, fault);
      return;
    }
    log.fatal({ event: "worker_failed", err: fault });
    process.exit(1);
  };
  process.on("uncaughtException", caught).on("unhandledRejection", caught);
  await namespaces?.open(sockets.io, loaded);
  let next: LoadedNamespace[] | null = null;
  return {
    async prepare(renewed) {
      const found = await loadNamespaces(renewed);
      if (typeof found === "string") return found;
      next = found;
      return null;
    },
    async adopt(renewed) {
      const defined = next ?? [];
      next = null;
      allowListeners(renewed);
      await namespaces?.reload(sockets.io, sockets.namespaces, defined);
    },
    abandon() {
      next = null;
    },
  };
}

/** Each namespace's adapter listens to the cluster's channel. */
function allowListeners({ namespaces }: Extensions): void {
  process.setMaxListeners(process.getMaxListeners() + namespaces.length);
}

async function loadNamespaces({ dir, bundles }: Extensions): Promise<LoadedNamespace[] | string> {
  const own = bundles.filter(({ kind }) => kind === "namespace");
  const loaded = await load(dir, own);
  return "problems" in loaded ? loaded.problems.join("\n") : loaded.namespaces;
}
