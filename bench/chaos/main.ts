/**
 * `troupe chaos`: runs, judges and reports. Exit code 0 when every run kept every promise, 1 when
 * one did not, 2 for wrong options. Bounded in time; Ctrl-C ends everything that was started.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { judge } from "./checker.ts";
import { type Options, parseOptions, repeatCommand } from "./options.ts";
import { patienceMs, runOnce } from "./run.ts";
import { digestOfRun, isWholeDigest, type RunDigest, summaryMarkdown } from "./summary.ts";
import { timelineHtml } from "./timeline.ts";
import { isWhole, type RunResult, verdictText } from "./verdict-text.ts";

/** The exit code. Rejects with a StartRefusal when something needed is missing. */
export async function chaos(args: string[]): Promise<number> {
  const parsed = parseOptions(args);
  if (!parsed.ok) {
    const stream = parsed.exitCode === 0 ? process.stdout : process.stderr;
    stream.write(parsed.text);
    return parsed.exitCode;
  }
  const { options } = parsed;
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const runs: RunDigest[] = [];
  try {
    for (let i = 0; i < options.runs && !stop.signal.aborted; i++) {
      const one = { ...options, seed: options.seed + i };
      runs.push(digestOfRun(await runAndReport(one, stop.signal)));
      if (options.summaryPath !== null) {
        const command = `${repeatCommand(options)} --runs ${options.runs}`;
        await writeFile(options.summaryPath, summaryMarkdown(runs, options, command));
      }
    }
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  return runs.every(isWholeDigest) ? 0 : 1;
}

async function runAndReport(options: Options, stop: AbortSignal): Promise<RunResult> {
  process.stdout.write(`Seed ${options.seed}. Again: ${repeatCommand(options)}\n`);
  const runDir = join(options.outDir, String(options.seed));
  await mkdir(runDir, { recursive: true });
  const abort = AbortSignal.any([stop, AbortSignal.timeout(patienceMs(options))]);
  const history = await runOnce(options, runDir, abort);
  const judged = judge(history);
  const result = { history, judged };
  const files = {
    "history.json": JSON.stringify({ judged, ...history }),
    "report.html": timelineHtml(history, judged),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(runDir, name), text);
  process.stdout.write(verdictText(result, process.stdout.isTTY === true));
  process.stdout.write(
    `${isWhole(result) ? "Every promise was kept." : "PROMISES WERE BROKEN."} ` +
      `Timeline: ${join(runDir, "report.html")}  History: ${join(runDir, "history.json")}\n` +
      `Again: ${repeatCommand(options)}\n\n`,
  );
  return result;
}
