/** One request that carries bytes, with its progress where a browser tells of it. */
import type { ErrorCode, ErrorObject, Result } from "../protocol/errors.ts";
import { refusal } from "./error.ts";

/** With nothing sent for so long the connection is taken for dead. */
const SILENCE_MAX_MS = 60_000;

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
  /** Told as bytes leave; where nothing can tell (in Node), once, at the end. */
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
  const end = AbortSignal.timeout(SILENCE_MAX_MS);
  try {
    const response = await fetch(url, {
      method,
      headers,
      body: body ?? null,
      signal: signal === undefined ? end : AbortSignal.any([signal, end]),
    });
    const text = await response.text();
    if (body !== undefined) onSent?.(body.size);
    return answerOf(response.status, text, (name) => response.headers.get(name));
  } catch (error) {
    return signal?.aborted ? ABORTED : refusal(`Out of reach: ${error}`);
  }
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
