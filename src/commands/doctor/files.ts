/** Files that users upload: whether pictures can be read here, and whether hosts share the files. */
import { stopwatch, systemClock } from "../../base/clock.ts";
import type { Config } from "../../config/config.ts";
import { S3Client } from "../../storage/files/s3-client.ts";
import { doubtful, type Finding, fine, wrong } from "./finding.ts";
import { reasonOf, within } from "./within.ts";

const DEADLINE_MS = 5_000;

const SHARP: string = "sharp";

/** Loads sharp, which has no binary for some platforms. */
export async function checkPictures(
  load: () => Promise<unknown> = () => import(SHARP),
): Promise<Finding> {
  const check = "pictures";
  try {
    await load();
    return fine(check, "sharp can be loaded");
  } catch (error) {
    const [reason = ""] = reasonOf(error).split("\n");
    const found = `sharp cannot be loaded: ${reason}`;
    const advice = "npm install --include=optional; until then uploaded pictures are refused";
    return doubtful(check, found, advice);
  }
}

/** Lists a folder of the store that is empty. Whether it can be written to is not tried. */
export async function checkFileStore(store: NonNullable<Config["fileStore"]>): Promise<Finding> {
  const check = "files";
  const client = new S3Client(store, systemClock);
  const { endpoint, bucket } = store;
  const elapsedMs = stopwatch();
  try {
    await within(DEADLINE_MS, client.list("doctor/"));
    return fine(check, `bucket ${bucket} of ${endpoint} answers in ${elapsedMs().toFixed(1)} ms`);
  } catch (error) {
    const found = `bucket ${bucket} of ${endpoint} cannot be used: ${reasonOf(error)}`;
    const advice =
      "mend FILES_URL, the AWS_… variables or the rights of the key (list, read, write, delete); until then uploads are answered `unavailable`";
    return wrong(check, found, advice);
  } finally {
    client.close();
  }
}

export function checkSharedFiles({
  redisUrl,
  fileStore,
}: Pick<Config, "redisUrl" | "fileStore">): Finding[] {
  if (redisUrl === null || fileStore !== null) return [];
  const found = "several hosts that share no store of files: uploads are answered `unavailable`";
  return [doubtful("files", found, "set FILES_URL to a store that all hosts share")];
}
