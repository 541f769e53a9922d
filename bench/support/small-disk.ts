/** A file system of some megabytes in memory, to be filled and emptied. Only root can mount one. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../../src/base/errors.ts";

const CHUNK_BYTES = 65_536;
const FILLER = "filler";

export class SmallDisk {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Mounts it at `folder`, which is made. The reason in words where that cannot be. */
  static mount(folder: string, megabytes: number): SmallDisk | string {
    if (process.getuid?.() !== 0) return "Only root can mount a small file system.";
    mkdirSync(folder, { recursive: true });
    const options = `size=${megabytes}m,mode=0755`;
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder], { stdio: "pipe" });
    } catch (error) {
      rmdirSync(folder);
      return `A small file system cannot be mounted: ${error instanceof Error ? error.message.trim() : String(error)}`;
    }
    return new SmallDisk(folder);
  }

  /** Takes all the room that is left. */
  fill(): void {
    const filler = join(this.folder, FILLER);
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(CHUNK_BYTES), { flag: "a" });
    } catch (error) {
      if (errorCode(error) !== "ENOSPC") throw error;
    }
  }

  empty(): void {
    rmSync(join(this.folder, FILLER), { force: true });
  }

  unmount(): void {
    execFileSync("umount", [this.folder]);
    rmdirSync(this.folder);
  }
}
