/**
 * Files: sending their bytes with progress, and the whole addresses of those that messages show.
 *
 *   const file = await upload(client, input.files[0], { onProgress: ({ sent, total }) => … });
 *   client.send(id, "", { attachments: [{ file_id: file.id }] });
 */
import type { ErrorObject, Result } from "../protocol/errors.ts";
import type { FileObject } from "../protocol/files.ts";
import { withToken } from "./api.ts";
import type { Client } from "./client.ts";
import { refusal, TroupeError } from "./error.ts";

/** The server's limit for a file in one request: SIMPLE_UPLOAD_BYTES_MAX in protocol/files.ts. */
export const UPLOAD_BYTES_MAX = 10 * 1024 * 1024;
/** With nothing sent for so long the connection is taken for dead. */
const SILENCE_MAX_MS = 60_000;

export interface Progress {
  /** Bytes. */
  sent: number;
  total: number;
}

export interface UploadOptions {
  /** Default: the file's own name. */
  name?: string;
  /** Told as bytes leave; where nothing can tell (in Node), once, at the end. */
  onProgress?: (progress: Progress) => void;
  /** Ends the upload; it is then rejected with `gone`. */
  signal?: AbortSignal;
}

/**
 * Uploads a file of at most 10 MiB. Rejects with TroupeError: `payload_too_large` before anything
 * is sent, `quota_exceeded`, `unsupported_media_type`, `unavailable` without a connection.
 */
export async function upload(
  client: Pick<Client, "url" | "tokens">,
  file: Blob & { name?: string },
  options: UploadOptions = {},
): Promise<FileObject> {
  const { name = file.name ?? "file", signal } = options;
  if (file.size > UPLOAD_BYTES_MAX) {
    throw new TroupeError(refusal("The file is larger than 10 MiB.", "payload_too_large").error);
  }
  const url = wholeUrl(client, `/api/files?name=${encodeURIComponent(name)}`);
  const answer = await withToken(client.tokens, (token) =>
    signal?.aborted ? Promise.resolve(ABORTED) : put(url, token, file, options),
  );
  if (!answer.ok) throw new TroupeError(answer.error);
  return answer.value as FileObject;
}

/** The whole address of what is relative to where Troupe is: `url` and `thumb_url` of a file. */
export const wholeUrl = ({ url }: Pick<Client, "url">, path: string): string =>
  url.replace(/\/$/, "") + path;

const ABORTED = refusal("The upload was ended.", "gone");

/** A browser tells how far it is; fetch does not. */
interface Xhr {
  upload: { onprogress: ((event: { loaded: number; total: number }) => void) | null };
  timeout: number;
  status: number;
  responseText: string;
  onload: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  send(body: unknown): void;
  abort(): void;
}
const { XMLHttpRequest } = globalThis as unknown as { XMLHttpRequest?: new () => Xhr };

async function put(
  url: string,
  token: string,
  file: Blob,
  { onProgress, signal }: UploadOptions,
): Promise<Result<unknown>> {
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/octet-stream",
  };
  if (XMLHttpRequest !== undefined) {
    return putXhr(new XMLHttpRequest(), url, headers, file, onProgress, signal);
  }
  const end = AbortSignal.timeout(SILENCE_MAX_MS);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers,
      body: file,
      signal: signal === undefined ? end : AbortSignal.any([signal, end]),
    });
    onProgress?.({ sent: file.size, total: file.size });
    return answerOf(response.status, await response.text());
  } catch (error) {
    return signal?.aborted ? ABORTED : refusal(`Out of reach: ${error}`);
  }
}

function putXhr(
  xhr: Xhr,
  url: string,
  headers: Record<string, string>,
  file: Blob,
  onProgress: UploadOptions["onProgress"],
  signal: AbortSignal | undefined,
): Promise<Result<unknown>> {
  return new Promise((resolve) => {
    const abort = (): void => xhr.abort();
    let silence = setTimeout(abort, SILENCE_MAX_MS);
    const end = (answer: Result<unknown>): void => {
      clearTimeout(silence);
      signal?.removeEventListener("abort", abort);
      resolve(answer);
    };
    xhr.upload.onprogress = ({ loaded }) => {
      clearTimeout(silence);
      silence = setTimeout(abort, SILENCE_MAX_MS);
      onProgress?.({ sent: Math.min(loaded, file.size), total: file.size });
    };
    xhr.onload = () => end(answerOf(xhr.status, xhr.responseText));
    xhr.onerror = () => end(refusal("Out of reach."));
    xhr.onabort = () => end(signal?.aborted ? ABORTED : refusal("No answer."));
    xhr.open("POST", url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    signal?.addEventListener("abort", abort);
    xhr.send(file);
  });
}

function answerOf(status: number, text: string): Result<unknown> {
  try {
    const answer = JSON.parse(text) as { error?: ErrorObject };
    if (status === 201) return { ok: true, value: answer };
    return answer.error === undefined
      ? refusal(`Answer ${status}.`)
      : { ok: false, error: answer.error };
  } catch (error) {
    // A proxy's page instead of JSON.
    return refusal(`Answer ${status}: ${error}`);
  }
}
