/** `troupe reload`: asks the servers of this DATA_DIR to load ACTORS_DIR again, and prints how it went. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, stopwatch } from "../base/clock.ts";
import { processStart } from "../base/process-identity.ts";
import { RELOADS_DIR, type ReloadNote } from "../base/reload-note.ts";

const LOOK_MS = 50;
/** A reload waits for the slowest worker, and for files that load slowly. */
const DEADLINE_MS = 120_000;

/** Answers the exit code. */
export async function reload(dataDir: string, clock: Clock): Promise<number> {
  const running = await runningServers(dataDir);
  if (running.length === 0) {
    const why = "It is looked for by its DATA_DIR, and it must have been started with ACTORS_DIR.";
    process.stderr.write(`No server runs here that could reload. ${why}\n`);
    return 1;
  }
  const problems = await Promise.all(running.map((note) => reloadOne(dataDir, note, clock)));
  const lines = running.map(({ pid }, n) => {
    const problem = problems[n] ?? null;
    return problem === null
      ? `Process ${pid} has loaded its files again.`
      : `Process ${pid} goes on with the files it had. ${problem}`;
  });
  const hasFailed = problems.some((problem) => problem !== null);
  (hasFailed ? process.stderr : process.stdout).write(`${lines.join("\n")}\n`);
  return hasFailed ? 1 : 0;
}

async function runningServers(dataDir: string): Promise<ReloadNote[]> {
  const names = await readdir(join(dataDir, RELOADS_DIR)).catch(() => []);
  const notes: ReloadNote[] = [];
  for (const name of names.sort()) {
    if (!name.endsWith(".json")) continue;
    const note = await noteOf(dataDir, Number.parseInt(name, 10));
    // A pid is used again, and the signal would end another program.
    if (note !== null && (await processStart(note.pid)) === note.start) notes.push(note);
  }
  return notes;
}

async function noteOf(dataDir: string, pid: number): Promise<ReloadNote | null> {
  try {
    const text = await readFile(join(dataDir, RELOADS_DIR, `${pid}.json`), "utf8");
    const note = JSON.parse(text) as ReloadNote;
    return note.pid === pid && note.start !== null ? note : null;
  } catch {
    // The process has just ended.
    return null;
  }
}

/** Null: done. */
async function reloadOne(dataDir: string, note: ReloadNote, clock: Clock): Promise<string | null> {
  process.kill(note.pid, "SIGUSR2");
  const elapsedMs = stopwatch();
  while (elapsedMs() < DEADLINE_MS) {
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
    const now = await noteOf(dataDir, note.pid);
    if (now === null) return "It has ended meanwhile.";
    if (now.count > note.count) return now.problem;
  }
  return `It has not answered within ${DEADLINE_MS / 1000} s; its log says more.`;
}
