/** Writes what a run found: JSON, the HTML report, and on request a section of Markdown. */
import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { errorCode } from "../../src/base/errors.ts";
import { type Options, repeatCommand } from "../options.ts";
import type { Circumstances, Outcome } from "../outcome.ts";
import type { Row } from "./comparison.ts";
import { reportPage } from "./page.ts";
import { asMarkdown, comparisonTable, outcomeTable } from "./tables.ts";

export interface Results {
  options: Options;
  startedAt: Date;
  outcomes: readonly Outcome[];
  /** One sentence for each thing that could not be measured. */
  unmeasured: readonly string[];
  rows: readonly Row[];
  /** The names of the two subjects that the rows compare. */
  first: string;
  second: string;
}

export async function writeResults(results: Results): Promise<{ html: string; json: string }> {
  const circumstances = circumstancesOf(results);
  const dir = join(results.options.outDir, circumstances.startedAt.replace(/[:.]/g, "-"));
  await mkdir(dir, { recursive: true });
  const json = join(dir, "results.json");
  const html = join(dir, "report.html");
  const { outcomes, rows, unmeasured } = results;
  await writeFile(json, JSON.stringify({ circumstances, rows, outcomes, unmeasured }, null, 1));
  await writeFile(html, reportPage({ ...results, circumstances }));
  if (results.options.savePath !== null) {
    await append(results.options.savePath, markdownSection(results, circumstances));
  }
  return { html, json };
}

export function circumstancesOf({ options, startedAt }: Results): Circumstances {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  return {
    command: repeatCommand(options),
    commit: commit(),
    machine: `${cpus().length} × ${model}, ${memoryGb} GB, ${platform()} ${release()} ${arch()}, Node ${process.version}`,
    startedAt: startedAt.toISOString(),
  };
}

/** The reason why one measured is for a person to write. */
export function markdownSection(results: Results, circumstances: Circumstances): string {
  const { outcomes, unmeasured, rows, first, second, options } = results;
  const all = asMarkdown(outcomeTable(outcomes));
  return [
    `## ${titleOf(options)}`,
    "",
    `\`${circumstances.command}\` at ${circumstances.commit}. ${circumstances.machine}.`,
    "",
    ...(rows.length > 0
      ? [
          asMarkdown(comparisonTable(rows, first, second)),
          `<details><summary>All ${outcomes.length} measurements</summary>\n\n${all}\n</details>\n`,
        ]
      : [all]),
    ...unmeasured.map((one) => `Not measured: ${one}\n`),
  ].join("\n");
}

function titleOf({ does, scenarios, rounds }: Options): string {
  switch (does) {
    case "scenarios":
      return scenarios.join(", ");
    case "against":
      return `${scenarios.join(", ")} against plain, ${rounds} rounds by turns`;
    default:
      return does;
  }
}

async function append(path: string, section: string): Promise<void> {
  const before = await readFile(path, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return "# Results of the bench\n";
    throw error;
  });
  await writeFile(path, `${before.trimEnd()}\n\n${section}`);
}

function commit(): string {
  try {
    const ask = (...args: string[]) =>
      execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    const isClean = ask("status", "--porcelain", "--untracked-files=no") === "";
    return `${ask("rev-parse", "--short", "HEAD")}${isClean ? "" : " with changes"}`;
  } catch (error) {
    // Installed from a package, or without git.
    if (error instanceof Error) return "an unknown commit";
    throw error;
  }
}
