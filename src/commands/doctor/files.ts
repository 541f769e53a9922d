/** Files that users upload: whether pictures can be read here, and whether hosts share the files. */
import type { Config } from "../../config/config.ts";
import { doubtful, type Finding, fine } from "./finding.ts";
import { reasonOf } from "./within.ts";

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

export function checkSharedFiles({ redisUrl }: Pick<Config, "redisUrl">): Finding[] {
  if (redisUrl === null) return [];
  const found = "several hosts that share no store of files: uploads are answered `unavailable`";
  return [doubtful("files", found, "leave REDIS_URL unset on a single host")];
}
