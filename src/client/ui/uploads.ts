/**
 * The files of a message that is being written: each is uploaded as soon as it is chosen, and can
 * be taken away again. What is on its way ends with the component.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { FileObject } from "../../protocol/files.ts";
import { TroupeError } from "../error.ts";
import { upload } from "../files.ts";
import { useTroupe } from "../react.ts";

/** ATTACHMENTS_MAX in protocol/files.ts. */
export const FILES_MAX = 10;

export interface Uploading {
  key: number;
  name: string;
  /** From 0 to 1. */
  progress: number;
  /** Null while it is on its way. */
  file: FileObject | null;
  problem: TroupeError | null;
}

export interface Uploads {
  items: readonly Uploading[];
  /** All of them are there, and none was refused. */
  isReady: boolean;
  /** More were chosen than a message shows. */
  isFull: boolean;
  add(files: readonly File[]): void;
  remove(key: number): void;
  /** Forgets them: they were sent. */
  clear(): void;
}

export function useUploads(): Uploads {
  const client = useTroupe();
  const [items, setItems] = useState<readonly Uploading[]>([]);
  const [isFull, setFull] = useState(false);
  const running = useRef(new Map<number, AbortController>());
  const count = useRef(0);
  const keys = useRef(0);

  useEffect(() => {
    const ends = running.current;
    return () => {
      for (const end of ends.values()) end.abort();
    };
  }, []);

  const start = useCallback(
    async (key: number, file: File): Promise<void> => {
      const change = (part: Partial<Uploading>): void =>
        setItems((all) => all.map((one) => (one.key === key ? { ...one, ...part } : one)));
      const end = new AbortController();
      running.current.set(key, end);
      try {
        const done = await upload(client, file, {
          signal: end.signal,
          onProgress: ({ sent, total }) => change({ progress: total === 0 ? 1 : sent / total }),
        });
        change({ file: done, progress: 1 });
      } catch (error) {
        if (!(error instanceof TroupeError)) throw error;
        change({ problem: error });
      } finally {
        running.current.delete(key);
      }
    },
    [client],
  );

  const add = useCallback(
    (files: readonly File[]): void => {
      const taken = files.slice(0, Math.max(0, FILES_MAX - count.current));
      setFull(taken.length < files.length);
      count.current += taken.length;
      const begun = taken.map((file) => ({ key: ++keys.current, file }));
      setItems((all) => [
        ...all,
        ...begun.map(({ key, file }) => ({
          key,
          name: file.name,
          progress: 0,
          file: null,
          problem: null,
        })),
      ]);
      for (const { key, file } of begun) void start(key, file);
    },
    [start],
  );

  const remove = useCallback((key: number): void => {
    running.current.get(key)?.abort();
    count.current--;
    setFull(false);
    setItems((all) => all.filter((one) => one.key !== key));
  }, []);

  const clear = useCallback((): void => {
    count.current = 0;
    setFull(false);
    setItems([]);
  }, []);

  return useMemo(
    () => ({
      items,
      isReady: items.every(({ file }) => file !== null),
      isFull,
      add,
      remove,
      clear,
    }),
    [items, isFull, add, remove, clear],
  );
}
