/** Files: the rows that storage keeps of them, and the store of their bytes. Types only. */
import type { FileLinks } from "../base/file-links.ts";
import type { FileKind, FileObject, FileState } from "../protocol/files.ts";
import type { ConversationId, UserId } from "../protocol/ids.ts";
import type { UploadStore, UploadTable } from "./uploads.ts";

/** A whole file. `shown.url` is the file's mark: see base/file-links.ts. */
export interface StoredFile {
  id: string;
  owner: UserId;
  shown: FileObject;
  /** 0: it has no thumbnail. */
  thumbBytes: number;
}

/** The facts about a picture that storage keeps. */
export interface ImageFacts {
  width: number;
  height: number;
  /** A thumbhash in base64. */
  placeholder: string;
}

/** The facts about a sound or a film. */
export interface MediaFacts {
  duration_ms: number;
}

export type PreparedImage =
  /** `image` and `thumb` read what was made, until `close`, which is called in every case. */
  | {
      is: "ready";
      facts: ImageFacts;
      image(): AsyncIterable<Uint8Array>;
      thumb(): AsyncIterable<Uint8Array>;
      close(): Promise<void>;
    }
  /** It cannot be read, or is too large; so it will be if it is tried again. */
  | { is: "refused"; why: string };

export interface ImagePreparer {
  /** Rejects where it could not be tried, took too long or ended the process that decodes. */
  prepare(
    source: AsyncIterable<Uint8Array>,
    mime: string,
    signal: AbortSignal,
  ): Promise<PreparedImage>;
}

/**
 * Asks an outside scanner about a file, whose bytes are at `url`. True: it may become ready. Rejects
 * where the scanner did not answer.
 */
export type FileScanner = (file: FileObject, url: string, signal: AbortSignal) => Promise<boolean>;

/** How the state `processing` ends. */
export type SettledFile =
  | {
      state: "ready";
      bytes: number;
      /** The facts about a picture. */
      facts: (ImageFacts & { thumb_url: string; thumb_bytes: number }) | null;
    }
  | { state: "refused" };

/** What was found out about the bytes of a file. */
export interface SniffedFile {
  bytes: number;
  mime: string;
  kind: FileKind;
  state: FileState;
  mark: string;
}

/** Messages of one conversation that show a file. */
export interface FilePlaces {
  conversationId: ConversationId;
  seqs: number[];
}

export interface FileTable {
  /** The key that signs addresses; the same for all hosts, for ever. */
  key(): Promise<Buffer>;
  /** Takes `bytes` of the owner's quota. The new id, or null: the quota has no room. */
  begin(owner: UserId, name: string, bytes: number, quotaBytes: number): Promise<string | null>;
  /** Keeps facts about a file whose upload is not complete. */
  note(id: string, facts: MediaFacts): Promise<void>;
  /** Null: the quota has no room, or the upload was given up meanwhile. */
  complete(id: string, found: SniffedFile, quotaBytes: number): Promise<StoredFile | null>;
  /**
   * Ends the state `processing`. False: the file was not in it, or has been taken back. The first
   * completion in this state adds the job `files.prepare` with the file's id as its key.
   */
  settle(id: string, settled: SettledFile): Promise<boolean>;
  /** Nothing refers to it and its bytes are gone. */
  forget(id: string): Promise<void>;
  /** A complete file that its uploader has not deleted, without a check of the reader. */
  file(id: string): Promise<StoredFile | null>;
  /** The same, where the reader may see it now. */
  fileFor(reader: UserId, id: string): Promise<StoredFile | null>;
  /** Whether it is the picture of a user or of a conversation. */
  isPicture(id: string): Promise<boolean>;
  /** Takes it back: nobody sees it from now on. False: it was not there. */
  remove(id: string): Promise<boolean>;
  /** Every message that shows it. */
  places(id: string): Promise<FilePlaces[]>;
  /**
   * Files of a conversation, newest first, with the message that shows each. Null: the reader is no
   * member. Undefined: that is no cursor of this list.
   */
  ofConversation(
    reader: UserId,
    id: ConversationId,
    page: { kind: FileKind | null; limit: number; cursor: string | null },
  ): Promise<
    { items: (FileObject & { seq: number })[]; next_cursor: string | null } | null | undefined
  >;
  /**
   * Files that are to go: taken back, never attached for `looseMs`, not referred to any more. What
   * it answers is taken back.
   */
  sweep(looseMs: number, most: number): Promise<string[]>;
}

/** The bytes of files by key. Reads and writes stream. */
export interface FileStore {
  /** Why there is no store here; null: there is one. */
  readonly missing: string | null;
  /**
   * Resolves when the bytes are whole and on the disk, to their number. Rejects with what `source`
   * rejected with, and then nothing is left of them.
   */
  write(key: string, source: AsyncIterable<Uint8Array>): Promise<number>;
  /** Bytes `from` to `to`, both included. Null: there are none of this key. */
  read(key: string, from: number, to: number): Promise<AsyncIterable<Uint8Array> | null>;
  /** Nothing happens where there are none. */
  remove(key: string): Promise<void>;
  /** Removes what interrupted writes have left. */
  tidy(nowMs: number): Promise<void>;
}

/** Everything of files that the HTTP side of an edge uses. */
export interface Files {
  table: FileTable;
  store: FileStore;
  uploads: { table: UploadTable; store: UploadStore };
  links: Pick<FileLinks, "mark" | "in" | "goodForS" | "picture" | "isPicture">;
  /**
   * Takes a file out of the messages that show it, then its bytes and its row. What cannot be done
   * now is done later, and answers false.
   */
  retire(id: string): Promise<boolean>;
}
