/** `troupe move`: from the embedded database to a PostgreSQL of one's own. Called by cli.ts. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../../base/clock.ts";
import { StartRefusal } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { packageVersion } from "../../base/version.ts";
import type { Config } from "../../config/config.ts";
import { CONFIG_KEYS } from "../../config/keys.ts";
import { openDataDir } from "../../primary/data-dir.ts";
import { epochMsOf } from "../../protocol/time.ts";
import { type Moved, move } from "../../storage/copies/move.ts";
import { addressOf, markMoved, unmark } from "../../storage/embedded/moved.ts";
import { openFileStores } from "../../storage/files/open.ts";
import type { OptionsResult } from "../options.ts";
import type { Outcome } from "../users.ts";
import { inWords } from "./backup.ts";
import { withRunningDatabase } from "./open.ts";

export type MoveCommand = { is: "move"; to: string } | { is: "undo" };

export function readMoveOptions(args: string[]): OptionsResult<MoveCommand> {
  let values: { to?: string; undo?: boolean };
  try {
    const options = { to: { type: "string" }, undo: { type: "boolean" } } as const;
    values = parseArgs({ args, options }).values;
  } catch (error) {
    // parseArgs says which option it does not know.
    return { ok: false, problem: error instanceof Error ? error.message : String(error) };
  }
  const { to, undo } = values;
  if (undo === true && to === undefined) return { ok: true, options: { is: "undo" } };
  const read = to === undefined ? { ok: false as const } : CONFIG_KEYS.databaseUrl.read(to);
  if (undo === true || !read.ok) {
    const wants = CONFIG_KEYS.databaseUrl.wants;
    return { ok: false, problem: `--to names the new database: ${wants}; --undo stands alone` };
  }
  return { ok: true, options: { is: "move", to: read.value } };
}

export async function moveDatabase(
  config: Config,
  log: Log,
  options: MoveCommand,
  say: (line: string) => void,
): Promise<Outcome> {
  const { dataDir, databaseUrl } = config;
  if (databaseUrl !== null) {
    throw new StartRefusal(
      "DATABASE_URL is set, and a move is of the embedded database in DATA_DIR: unset it for this command. From one PostgreSQL to another, use backup and restore.",
    );
  }
  if (options.is === "undo") return undo(dataDir);
  const { to } = options;
  const stores =
    config.fileStore === null
      ? null
      : openFileStores({ s3: config.fileStore, dataDir, hasOtherHosts: true, clock: systemClock });
  try {
    const moved = await withRunningDatabase(config, log, (from) =>
      inWords(() =>
        move({
          from,
          to,
          version: packageVersion(),
          dataDir,
          files: stores?.store ?? null,
          mark: () => markMoved(dataDir, to, new Date(epochMsOf(systemClock.wallMs()))),
          onProgress: say,
        }),
      ),
    );
    return { exitCode: 0, text: afterMove(config, to, moved) };
  } finally {
    stores?.close();
  }
}

function afterMove(
  { dataDir, fileStore, jwtSecret, jwtJwksUrl }: Config,
  to: string,
  moved: Moved,
) {
  const { stoppedMs, files } = moved;
  const lines = [
    `Everything is in ${addressOf(to)}; the last step took ${(stoppedMs / 1000).toFixed(1)} s.`,
    "The old database only reads now, and does not start again. A running Troupe refuses what would write until it is restarted with:",
    "  DATABASE_URL, the address of the new database",
  ];
  if (jwtSecret === null && jwtJwksUrl === null) {
    const path = join(dataDir, "jwt-secret");
    lines.push(`  JWT_SECRET, what ${path} holds, its lines joined by commas`);
  }
  lines.push(
    fileStore === null
      ? `  DATA_DIR as before: files stay in ${join(dataDir, "files")}`
      : `  FILES_URL, where ${files} files are now`,
    "",
  );
  return lines.join("\n");
}

async function undo(dataDir: string): Promise<Outcome> {
  const opened = await openDataDir(dataDir);
  try {
    if (await unmark(dataDir)) {
      const text =
        "The next start without DATABASE_URL takes the old database, as it was at the move.\n";
      return { exitCode: 0, text };
    }
    return { exitCode: 1, text: `The database in ${dataDir} was not moved.\n` };
  } finally {
    await opened.release();
  }
}
