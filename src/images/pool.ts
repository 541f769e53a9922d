/**
 * Hands pictures to processes that decode them (process.ts), and their results back.
 *
 * A process here is idle, or at work on one picture. It begins with the first picture that finds no
 * idle one, and is ended when it has been idle for a while, when a picture takes too long, or with
 * the pool. Whatever becomes of it, nothing else is touched.
 *
 * [IMP1] A picture has its result within `DEADLINE_MS`. One that takes longer, or ends its process,
 *        throws, and another process takes the next one.
 * [IMP2] The files of a picture are in a folder of its own, which goes with it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { ImagePreparer, PreparedImage } from "../ports/files.ts";
import { epochMsOf } from "../protocol/time.ts";
import type { ImageOrder, ImageReport } from "./prepare.ts";

const DEADLINE_MS = 30_000;
const IDLE_MS = 60_000;
/** Folders older than this belong to nobody: their process is long gone. */
const LEFT_BEHIND_MS = 10 * 60_000;
const HEAP_MB = 128;

export interface ImagePoolOptions {
  folder: string;
  /** Processes at once; further pictures wait, as many as there are callers. */
  atOnceMax: number;
  clock: Clock;
  log: Log;
}

interface Idle {
  child: ChildProcess;
  cancelEnd(): void;
}

export class ImagePool implements ImagePreparer {
  readonly #options: ImagePoolOptions;
  readonly #idle: Idle[] = [];
  readonly #all = new Set<ChildProcess>();
  readonly #waiting: (() => void)[] = [];
  #working = 0;
  #ready: Promise<void> | null = null;
  #isReported = false;

  constructor(options: ImagePoolOptions) {
    this.#options = options;
  }

  async prepare(
    source: AsyncIterable<Uint8Array>,
    mime: string,
    signal: AbortSignal,
  ): Promise<PreparedImage> {
    this.#ready ??= this.#begin();
    await this.#ready;
    const folder = await mkdtemp(join(this.#options.folder, "picture-"));
    const close = () => rm(folder, { recursive: true, force: true });
    const [image, thumb] = [join(folder, "image"), join(folder, "thumb")];
    const order = { source: join(folder, "source"), mime, image, thumb };
    try {
      const file = createWriteStream(order.source, { mode: 0o600 });
      await pipeline(Readable.from(source), file, { signal });
      const report = await this.#inTurn(() => this.#ask(order, signal));
      if (report.is === "ready") {
        const { width, height, placeholder } = report;
        const facts = { width, height, placeholder };
        const reads = {
          image: () => createReadStream(image),
          thumb: () => createReadStream(thumb),
        };
        return { is: "ready", facts, ...reads, close };
      }
      await close();
      if (report.is === "missing") this.#reportMissing(report.why);
      return { is: "refused", why: report.why };
    } catch (error) {
      await close();
      throw error;
    }
  }

  close(): void {
    for (const child of this.#all) child.kill("SIGKILL");
    for (const { cancelEnd } of this.#idle.splice(0)) cancelEnd();
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#working < this.#options.atOnceMax) this.#working++;
    else await new Promise<void>((begin) => this.#waiting.push(begin));
    try {
      return await work();
    } finally {
      // The place goes to the next one.
      const next = this.#waiting.shift();
      if (next === undefined) this.#working--;
      else next();
    }
  }

  /** [IMP1] */
  #ask(order: ImageOrder, signal: AbortSignal): Promise<ImageReport> {
    const child = this.#take();
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void) => {
        cancelDeadline();
        signal.removeEventListener("abort", aborted);
        child.off("message", reported).off("exit", ended).off("error", failed);
        settled();
      };
      const giveUp = (why: string) =>
        settle(() => {
          child.kill("SIGKILL");
          reject(new Error(why));
        });
      const aborted = () => giveUp("it was given up");
      const failed = (fault: Error) => giveUp(fault.message);
      const ended = () => giveUp("its process has ended");
      const reported = (report: unknown) =>
        settle(() => {
          this.#giveBack(child);
          resolve(report as ImageReport);
        });
      const cancelDeadline = this.#options.clock.after(DEADLINE_MS, () =>
        giveUp(`it was not ready within ${DEADLINE_MS / 1000} s`),
      );
      child.on("message", reported).on("exit", ended).on("error", failed);
      signal.addEventListener("abort", aborted, { once: true });
      if (signal.aborted) aborted();
      else child.send(order, (fault) => fault !== null && failed(fault));
    });
  }

  #take(): ChildProcess {
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      idle.cancelEnd();
      return idle.child;
    }
    const child = fork(fileURLToPath(new URL("./process.js", import.meta.url)), {
      execArgv: [`--max-old-space-size=${HEAP_MB}`],
      // Neither the configuration nor its secrets.
      env: { PATH: process.env["PATH"], MALLOC_ARENA_MAX: "2" },
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    this.#all.add(child);
    // One that cannot be started has no exit.
    const gone = () => this.#forget(child);
    child.on("exit", gone).on("error", gone);
    return child;
  }

  #giveBack(child: ChildProcess): void {
    const cancelEnd = this.#options.clock.after(IDLE_MS, () => child.kill("SIGKILL"));
    this.#idle.push({ child, cancelEnd });
  }

  #forget(child: ChildProcess): void {
    this.#all.delete(child);
    const at = this.#idle.findIndex((idle) => idle.child === child);
    if (at >= 0) this.#idle.splice(at, 1)[0]?.cancelEnd();
  }

  /** [IMP2] What a process that was killed has left behind goes first. */
  async #begin(): Promise<void> {
    const { folder, clock } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => null);
      const isOld = found !== null && epochMsOf(clock.wallMs()) - found.mtimeMs > LEFT_BEHIND_MS;
      if (isOld) await rm(path, { recursive: true, force: true });
    }
  }

  #reportMissing(why: string): void {
    if (this.#isReported) return;
    this.#isReported = true;
    const message = "pictures are refused: the package sharp cannot be loaded on this host";
    this.#options.log.warn({ event: "images_refused", why }, message);
  }
}
