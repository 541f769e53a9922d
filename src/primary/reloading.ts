/**
 * Loads the application's files in ACTORS_DIR again, while everything runs on. A mistake in any of
 * them, or a worker that cannot load them, leaves all the older ones running.
 *
 * A file in DATA_DIR says which process to ask and how the last reload ended; `troupe reload` reads it.
 */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StartRefusal } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { processStart } from "../base/process-identity.ts";
import { RELOADS_DIR, type ReloadNote } from "../base/reload-note.ts";
import type { Extensions, OpenedExtensions } from "../config/extensions.ts";

export interface ReloadingOptions {
  dataDir: string;
  current: OpenedExtensions;
  open(): Promise<OpenedExtensions>;
  /** Null: every worker has them. A text: why not. */
  renew(opened: OpenedExtensions): Promise<string | null>;
  log: Log;
}

export class Reloading {
  readonly #options: ReloadingOptions;
  readonly #file: string;
  #current: OpenedExtensions;
  /** Threads may still end turns by these. */
  #former: OpenedExtensions | null = null;
  #count = 0;
  #isRunning = false;
  #isAsked = false;

  constructor(options: ReloadingOptions) {
    this.#options = options;
    this.#current = options.current;
    this.#file = join(options.dataDir, RELOADS_DIR, `${process.pid}.json`);
  }

  /** From now on `troupe reload` finds this process. */
  start(): Promise<void> {
    return this.#note(null);
  }

  /** A second request while one runs is one more reload after it. */
  async reload(): Promise<void> {
    this.#isAsked = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      const problem = await this.#once();
      this.#count++;
      await this.#note(problem);
    }
    this.#isRunning = false;
  }

  async close(): Promise<void> {
    await rm(this.#file, { force: true }).catch(() => undefined);
    await this.#former?.close();
    await this.#current.close();
  }

  async #once(): Promise<string | null> {
    const { log, open, renew } = this.#options;
    try {
      const opened = await open();
      const problem =
        unchangeable(this.#current.extensions, opened.extensions) ?? (await renew(opened));
      if (problem !== null) {
        await opened.close();
        throw new StartRefusal(problem);
      }
      await this.#former?.close();
      this.#former = this.#current;
      this.#current = opened;
      const { actors, namespaces, hooks } = opened.extensions;
      const kinds = actors.map(({ kind, version }) => `${kind} ${version}`);
      log.info({ event: "reloaded", kinds, namespaces, hooks });
      return null;
    } catch (error) {
      if (error instanceof StartRefusal) {
        log.error({ event: "reload_refused", why: error.message });
        return error.message;
      }
      // Such as a full disk.
      log.error({ event: "reload_failed", err: error });
      return `The files could not be made ready: ${error instanceof Error ? error.message : String(error)}.`;
    }
  }

  async #note(problem: string | null): Promise<void> {
    const { dataDir, log } = this.#options;
    try {
      const start = await processStart(process.pid);
      const note: ReloadNote = { pid: process.pid, start, count: this.#count, problem };
      await mkdir(join(dataDir, RELOADS_DIR), { recursive: true });
      await writeFile(`${this.#file}.new`, JSON.stringify(note));
      await rename(`${this.#file}.new`, this.#file);
    } catch (err) {
      // SIGUSR2 works all the same.
      log.warn({ event: "reload_unnoted", err });
    }
  }
}

type Loaded = Pick<Extensions, "actors">;

/** A state cannot move between memory and the database while its actor lives. */
function unchangeable(before: Loaded, after: Loaded): string | null {
  for (const { kind, durable } of after.actors) {
    const former = before.actors.find((one) => one.kind === kind);
    if (former === undefined || former.durable === durable) continue;
    return `The kind "${kind}" cannot change \`durable\` in a reload: restart the server.`;
  }
  return null;
}
