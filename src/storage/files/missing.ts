/** The FileStore of several hosts that share none: bytes on one host would be missing on the others. */
import type { FileStore } from "../../ports/files.ts";

const WHY = "This server keeps no files: several hosts need a store that they share, FILES_URL.";

export class NoFiles implements FileStore {
  readonly missing = WHY;

  async write(): Promise<number> {
    throw new Error(WHY);
  }

  async read(): Promise<null> {
    return null;
  }

  async remove(): Promise<void> {
    // There is nothing to remove.
  }

  async tidy(): Promise<void> {
    // Nothing is ever written.
  }
}
