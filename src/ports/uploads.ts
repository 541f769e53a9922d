/** Uploads that come in parts: the rows that storage keeps of them, and their bytes. Types only. */
import type { UserId } from "../protocol/ids.ts";

export interface UploadInParts {
  /** How many bytes there will be. */
  bytes: number;
  /** `whole`: the file is there. `gone`: its uploader has taken it back. */
  state: "unfinished" | "whole" | "gone";
}

/** `wanted`: another request waits for this one to end. `lost`: another one holds it. */
export type UploadHold = "kept" | "wanted" | "lost";

/**
 * One request at a time writes to an upload: it holds it by a lease that it renews. A process that
 * is killed loses it when the lease ends.
 */
export interface UploadTable {
  /** Takes `bytes` of the owner's quota. The id of the file, or null: the quota has no room. */
  begin(owner: UserId, name: string, bytes: number, quotaBytes: number): Promise<string | null>;
  /** Null: the user has begun no such upload. */
  find(owner: UserId, id: string): Promise<UploadInParts | null>;
  /** False: another request holds it, and learns that it is wanted when it renews. */
  hold(id: string, holder: string, leaseMs: number): Promise<boolean>;
  renew(id: string, holder: string, leaseMs: number): Promise<UploadHold>;
  release(id: string, holder: string): Promise<void>;
}

/** The bytes of uploads that are not whole, by the key of their file. */
export interface UploadStore {
  /** How many bytes there are; all of them where the file is whole. */
  size(key: string): Promise<number>;
  /**
   * Writes from byte `at` on, which is where the bytes that are there end. Resolves when what has
   * come is on the disk, to the number of bytes that are there then. Rejects with what `source`
   * rejected with; what came before is on the disk then, too.
   */
  append(key: string, at: number, source: AsyncIterable<Uint8Array>): Promise<number>;
  /** The first bytes, at most `most`. */
  head(key: string, most: number): Promise<Buffer>;
  /** Makes the bytes those of a whole file of FileStore; nothing happens where that is done. */
  finish(key: string): Promise<void>;
  /** Nothing happens where there are none. */
  drop(key: string): Promise<void>;
}
