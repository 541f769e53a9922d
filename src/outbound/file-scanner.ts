/**
 * Asks FILE_HOOK_URL about a file before it is ready: `{file, url}`, signed with HOOK_SECRET as
 * webhooks are. The answer is `{"action": "allow"}` or `{"action": "refuse"}`; anything else, another
 * status than 2xx and silence are failures.
 *
 * [FSC1] Nothing becomes ready that the scanner has not allowed.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { EventsConfig } from "../config/event-keys.ts";
import type { FilesConfig } from "../config/file-keys.ts";
import type { FileScanner } from "../ports/files.ts";
import { epochMsOf } from "../protocol/time.ts";
import type { Post } from "./request.ts";
import { signedHeaders } from "./signature.ts";

/** A scanner reads the file meanwhile. */
const TIMEOUT_MS = 30_000;
const ANSWER_BYTES_MAX = 64 * 1024;

export interface ScannerOptions {
  config: Pick<EventsConfig, "hookSecret"> & Pick<FilesConfig, "fileHookUrl">;
  post: Post;
  /** Writes the addresses of files into the text. */
  links(text: string): string;
  clock: Clock;
}

/** Null where no FILE_HOOK_URL is set. */
export function createFileScanner({
  config,
  post,
  links,
  clock,
}: ScannerOptions): FileScanner | null {
  const { fileHookUrl: address, hookSecret } = config;
  if (address === null) return null;
  return async (file, url, signal) => {
    const body = links(JSON.stringify({ file, url }));
    const timestampS = Math.floor(epochMsOf(clock.wallMs()) / 1000);
    const secrets = hookSecret === null ? [] : [hookSecret];
    const answer = await post({
      url: address,
      namer: "operator",
      headers: signedHeaders({ id: `file_${randomUUID()}`, timestampS, body }, secrets),
      body,
      timeoutMs: TIMEOUT_MS,
      answerBytesMax: ANSWER_BYTES_MAX,
      signal,
    });
    if (answer.status < 200 || answer.status >= 300) {
      throw new Error(`the scanner answered ${answer.status}`);
    }
    const action = actionIn(answer.body);
    if (action === "allow") return true;
    if (action === "refuse") return false;
    throw new Error("the scanner answered neither allow nor refuse");
  };
}

function actionIn(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null) return parsed;
    return "action" in parsed ? parsed.action : null;
  } catch {
    // The word alone will do.
    return text.trim();
  }
}
