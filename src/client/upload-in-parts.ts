/**
 * A large file in parts, by tus 1.0 (https://tus.io/protocols/resumable-upload). Bytes that the server
 * has are not sent again: after a cut it is asked how far it has come, and so it is after a reload, for
 * the number of each unfinished upload is kept in localStorage until its file is chosen again.
 *
 * [SDK70] A cut costs no more than the request that it cut; tries without progress are bounded.
 */
import type { ErrorObject, Result } from "../protocol/errors.ts";
import type { FileObject } from "../protocol/files.ts";
import { withToken } from "./api.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import { isPassing, TroupeError } from "./error.ts";
import { ABORTED, type Answer, type Progress, type Transfer, transfer } from "./transfer.ts";

const PATH = "/api/files/tus";
/** Bytes of one request: a proxy may bound them. */
const PART_BYTES = 8 * 1024 * 1024;
/** Waits between tries while the server comes no further; then the upload is given up. */
const WAITS_MS = [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000, 8_000];
const KEPT = "troupe.upload.";

interface WebStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Null where there is no store, or it is full or closed to this page: then no reload goes on with it. */
function inStore<T>(key: string | null, use: (store: WebStore, key: string) => T): T | null {
  try {
    const { localStorage } = globalThis as { localStorage?: WebStore };
    return localStorage === undefined || key === null ? null : use(localStorage, key);
  } catch (error) {
    console.warn("a reload would begin the upload again", error);
    return null;
  }
}

export interface PartsOptions {
  name: string;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** Rejects with TroupeError. */
export async function uploadInParts(
  client: Pick<Client, "url" | "tokens">,
  file: Blob & { lastModified?: number },
  { name, onProgress, signal }: PartsOptions,
): Promise<FileObject> {
  const { lastModified, size: total } = file;
  // Two blobs of one size may differ: a file that was chosen is known by its time, too.
  const key =
    lastModified === undefined ? null : `${KEPT}${client.url} ${total} ${lastModified} ${name}`;

  const forget = () => inStore(key, (store, name) => store.removeItem(name));

  const call = (
    method: Transfer["method"],
    path: string,
    headers: Record<string, string> = {},
    more: Pick<Transfer, "body" | "onSent" | "signal"> = { signal },
  ): Promise<Result<Answer>> =>
    withToken(client.tokens, (token) =>
      transfer({
        ...more,
        method,
        url: client.url.replace(/\/$/, "") + path,
        headers: { authorization: `Bearer ${token}`, "tus-resumable": "1.0.0", ...headers },
      }),
    );

  /** Makes the upload, or asks how far it has come. */
  async function place(id: string | null): Promise<Result<{ id: string; offset: number }>> {
    if (id !== null) {
      const answer = await call("HEAD", `${PATH}/${id}`);
      return answer.ok ? { ok: true, value: { id, offset: offsetOf(answer.value) } } : answer;
    }
    const made = await call("POST", PATH, {
      "upload-length": String(total),
      "upload-metadata": `filename ${base64Of(name)}`,
    });
    if (!made.ok) return made;
    const fresh = made.value.header("location")?.split("/").at(-1) ?? "";
    inStore(key, (store, name) => store.setItem(name, fresh));
    return { ok: true, value: { id: fresh, offset: 0 } };
  }

  const send = (id: string, offset: number): Promise<Result<Answer>> =>
    call(
      "PATCH",
      `${PATH}/${id}`,
      { "content-type": "application/offset+octet-stream", "upload-offset": String(offset) },
      {
        body: file.slice(offset, offset + PART_BYTES),
        onSent: (sent) => onProgress?.({ sent: offset + sent, total }),
        signal,
      },
    );

  let id = inStore(key, (store, name) => store.getItem(name));
  /** It was found where an earlier page had left it; a later refusal counts. */
  let isKept = id !== null;
  let furthest = 0;
  let tries = 0;

  /** Waits for another try; throws when there is none left. */
  async function again(error: ErrorObject): Promise<void> {
    if (signal?.aborted) {
      forget();
      // The server would keep the bytes for a day; out of reach, it does.
      if (id !== null) await call("DELETE", `${PATH}/${id}`, {}, {});
      throw new TroupeError(ABORTED.error);
    }
    if (isKept && /^(not_found|gone)$/.test(error.code)) {
      isKept = false;
      id = null;
      return;
    }
    // Another request may still hold the upload.
    const isPassingBy = isPassing(error) || error.code === "conflict";
    const waitMs = WAITS_MS[tries++];
    if (!isPassingBy) forget();
    if (!isPassingBy || waitMs === undefined) throw new TroupeError(error);
    await paused(Math.max(waitMs, error.retry_after_ms ?? 0), signal);
  }

  for (;;) {
    const at = await place(id);
    if (!at.ok) {
      await again(at.error);
      continue;
    }
    id = at.value.id;
    let { offset } = at.value;
    onProgress?.({ sent: offset, total });
    while (offset < total) {
      const answer = await send(id, offset);
      if (!answer.ok) {
        await again(answer.error);
        break;
      }
      offset = offsetOf(answer.value);
      if (offset > furthest) tries = 0;
      furthest = Math.max(furthest, offset);
    }
    if (offset < total) continue;
    const file = await call("GET", `/api/files/${id}`);
    if (file.ok) {
      forget();
      return JSON.parse(file.value.text) as FileObject;
    }
    await again(file.error);
  }
}

const offsetOf = (answer: Answer): number => Number(answer.header("upload-offset") ?? 0);

function base64Of(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function paused(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = systemClock.after(ms, end);
    signal?.addEventListener("abort", end);
  });
}
