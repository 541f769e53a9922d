/** One request that carries bytes, with its progress where a browser tells of it. */
import type { ErrorCode, ErrorObject, Result } from "../protocol/errors.ts";
import { refusal } from "./error.ts";

/** With nothing sent for so long the connection is taken for dead. */
const SILENCE_MAX_MS = 60_000;
const PIECE_BYTES = 64 * 1024;

export interface Progress {
  /** Bytes. */
  sent: number;
  total: number;
}

export interface Transfer {
  method: "POST" | "PATCH" | "HEAD" | "GET" | "DELETE";
  url: string;
  headers: Readonly<Record<string, string>>;
  body?: Blob;
  /** Told as bytes leave. */
  onSent?: ((bytes: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface Answer {
  text: string;
  header(name: string): string | null;
}

export const ABORTED = refusal("The upload was ended.", "gone");

/** A browser tells how far it is; fetch does not. */
interface Xhr {
  upload: { onprogress: ((event: { loaded: number }) => void) | null };
  status: number;
  responseText: string;
  onload: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getResponseHeader(name: string): string | null;
  send(body: unknown): void;
  abort(): void;
}
const { XMLHttpRequest } = globalThis as unknown as { XMLHttpRequest?: new () => Xhr };

/** Never rejects. A status below 300 is an answer, everything else a refusal. */
export async function transfer(request: Transfer): Promise<Result<Answer>> {
  const { method, url, headers, body, onSent, signal } = request;
  if (signal?.aborted) return ABORTED;
  if (XMLHttpRequest !== undefined) return byXhr(new XMLHttpRequest(), request);
  const idle = new AbortController();
  const hangs = (): void => idle.abort(new Error(`nothing was sent for ${SILENCE_MAX_MS} ms`));
  let silence = setTimeout(hangs, SILENCE_MAX_MS);
  let sent = 0;
  const leaves = (bytes: number): void => {
    clearTimeout(silence);
    silence = setTimeout(hangs, SILENCE_MAX_MS);
    sent += bytes;
    onSent?.(sent);
  };
  try {
    const response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? null : watched(body, leaves),
      signal: signal === undefined ? idle.signal : AbortSignal.any([signal, idle.signal]),
    });
    const text = await response.text();
    return answerOf(response.status, text, (name) => response.headers.get(name));
  } catch (error) {
    return signal?.aborted ? ABORTED : refusal(`Out of reach: ${error}`);
  } finally {
    clearTimeout(silence);
  }
}

/**
 * fetch reads a Blob by its stream, as fast as the connection takes it. A Blob in memory has a stream
 * of one piece, which would show no progress.
 */
function watched(body: Blob, leaves: (bytes: number) => void): Blob {
  const stream = (): ReadableStream<Uint8Array> => {
    let at = 0;
    let last = 0;
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          // The next piece is asked for once the last one has left.
          if (last > 0) leaves(last);
          const piece = new Uint8Array(await body.slice(at, at + PIECE_BYTES).arrayBuffer());
          last = piece.length;
          at += last;
          if (last === 0) controller.close();
          else controller.enqueue(piece);
        },
      },
      { highWaterMark: 0 },
    );
  };
  const copy = body.slice(0, body.size, body.type);
  Object.defineProperty(copy, "stream", { value: stream });
  return copy;
}

function byXhr(xhr: Xhr, request: Transfer): Promise<Result<Answer>> {
  const { method, url, headers, body, onSent, signal } = request;
  return new Promise((resolve) => {
    const abort = (): void => xhr.abort();
    let silence = setTimeout(abort, SILENCE_MAX_MS);
    const end = (answer: Result<Answer>): void => {
      clearTimeout(silence);
      signal?.removeEventListener("abort", abort);
      resolve(answer);
    };
    xhr.upload.onprogress = ({ loaded }) => {
      clearTimeout(silence);
      silence = setTimeout(abort, SILENCE_MAX_MS);
      onSent?.(Math.min(loaded, body?.size ?? 0));
    };
    xhr.onload = () =>
      end(answerOf(xhr.status, xhr.responseText, (name) => xhr.getResponseHeader(name)));
    xhr.onerror = () => end(refusal("Out of reach."));
    xhr.onabort = () => end(signal?.aborted ? ABORTED : refusal("No answer."));
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    signal?.addEventListener("abort", abort);
    xhr.send(body ?? null);
  });
}

/** Of answers that have no body, as those to HEAD. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  401: "token_expired",
  404: "not_found",
  409: "conflict",
  410: "gone",
  423: "conflict",
  429: "rate_limited",
};

function answerOf(
  status: number,
  text: string,
  header: (name: string) => string | null,
): Result<Answer> {
  if (status < 300) return { ok: true, value: { text, header } };
  try {
    const { error } = JSON.parse(text) as { error?: ErrorObject };
    if (error !== undefined) return { ok: false, error };
  } catch (error) {
    // No body, or a proxy's page in the place of JSON.
    return refusal(`Answer ${status}: ${error}`, CODES[status]);
  }
  return refusal(`Answer ${status}.`, CODES[status]);
}
