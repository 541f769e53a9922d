/** The store of files that the configuration asks for. */
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { S3Store } from "../../config/file-store-keys.ts";
import type { FileStore } from "../../ports/files.ts";
import type { UploadStore } from "../../ports/uploads.ts";
import { DiskFiles } from "./disk.ts";
import { DiskUploads } from "./disk-uploads.ts";
import { NoFiles } from "./missing.ts";
import { S3Files } from "./s3.ts";
import { S3Client } from "./s3-client.ts";
import { S3Uploads } from "./s3-uploads.ts";

export interface FileStoresOptions {
  /** Null: the folder. */
  s3: S3Store | null;
  dataDir: string;
  hasOtherHosts: boolean;
  clock: Clock;
}

export interface FileStores {
  store: FileStore;
  uploads: UploadStore;
  close(): void;
}

export function openFileStores({
  s3,
  dataDir,
  hasOtherHosts,
  clock,
}: FileStoresOptions): FileStores {
  if (s3 !== null) {
    const client = new S3Client(s3, clock);
    const spools = join(dataDir, "spool");
    return {
      store: new S3Files(client, spools),
      uploads: new S3Uploads(client, spools),
      close: () => client.close(),
    };
  }
  const folder = join(dataDir, "files");
  return {
    // Several hosts that share no store would each miss what the others hold.
    store: hasOtherHosts ? new NoFiles() : new DiskFiles(folder),
    uploads: new DiskUploads(folder),
    close: () => undefined,
  };
}
