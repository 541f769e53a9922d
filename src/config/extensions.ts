/** The application's own code in ACTORS_DIR, as the primary hands it to its workers. */
import type { AppKind } from "../protocol/app-actors.ts";
import type { AskedType } from "../protocol/hooks.ts";

export interface Bundle {
  /** The file's name in ACTORS_DIR. */
  file: string;
  kind: "actor" | "hooks" | "namespace";
  /** What was made of it: a file URL. */
  url: string;
}

export interface Extensions {
  /** Counts the times that the files were loaded. */
  generation: number;
  /** ACTORS_DIR, for messages. */
  dir: string;
  bundles: Bundle[];
  /** Names of the namespaces. */
  namespaces: string[];
  /** Kinds of actors. */
  actors: AppKind[];
  /** The types of questions for which a file has a hook. */
  hooks: AskedType[];
  /** Begins the names of channels in Redis; null: one host. */
  redisPrefix: string | null;
}

/** The folder's files, checked, until `close` takes away what was made of them. */
export interface OpenedExtensions {
  extensions: Omit<Extensions, "redisPrefix">;
  close(): Promise<void>;
}

/** `prepare` loads beside what runs, `adopt` lets it take over, `abandon` drops it. */
export interface RenewalOrder {
  step: "prepare" | "adopt" | "abandon";
  extensions: Extensions;
}
