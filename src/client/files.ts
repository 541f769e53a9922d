/**
 * Files: sending their bytes with progress, and the whole addresses of those that messages show.
 *
 *   const file = await upload(client, input.files[0], { onProgress: ({ sent, total }) => … });
 *   client.send(id, "", { attachments: [{ file_id: file.id }] });
 */
import type { FileObject } from "../protocol/files.ts";
import { withToken } from "./api.ts";
import type { Client } from "./client.ts";
import { TroupeError } from "./error.ts";
import { type Progress, transfer } from "./transfer.ts";
import { uploadInParts } from "./upload-in-parts.ts";

export type { Progress } from "./transfer.ts";

/** The server's limit for a file in one request: SIMPLE_UPLOAD_BYTES_MAX in protocol/files.ts. */
export const UPLOAD_BYTES_MAX = 10 * 1024 * 1024;

export interface UploadOptions {
  /** Default: the file's own name. */
  name?: string;
  /** Told as bytes leave; where nothing can tell (in Node), once a request. */
  onProgress?: (progress: Progress) => void;
  /** Ends the upload; it is then rejected with `gone`. */
  signal?: AbortSignal;
}

/**
 * Uploads a file: one of more than 10 MiB in parts, which go on after a cut, and after a reload when
 * the same file is chosen again. Rejects with TroupeError: `payload_too_large`, `quota_exceeded`,
 * `unsupported_media_type`, `unavailable` without a connection.
 */
export async function upload(
  client: Pick<Client, "url" | "tokens">,
  file: Blob & { name?: string; lastModified?: number },
  options: UploadOptions = {},
): Promise<FileObject> {
  const { name = file.name ?? "file", onProgress, signal } = options;
  if (file.size > UPLOAD_BYTES_MAX) return uploadInParts(client, file, { ...options, name });
  const answer = await withToken(client.tokens, (token) =>
    transfer({
      method: "POST",
      url: wholeUrl(client, `/api/files?name=${encodeURIComponent(name)}`),
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/octet-stream",
      },
      body: file,
      onSent: onProgress && ((sent) => onProgress({ sent, total: file.size })),
      signal,
    }),
  );
  if (!answer.ok) throw new TroupeError(answer.error);
  return JSON.parse(answer.value.text) as FileObject;
}

/** The whole address of what is relative to where Troupe is: `url` and `thumb_url` of a file. */
export const wholeUrl = ({ url }: Pick<Client, "url">, path: string): string =>
  url.replace(/\/$/, "") + path;
