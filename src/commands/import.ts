/** `troupe import`: a file of lines, or the zip of an export, beside a running server or without one. */
import type { ImportCounts } from "../ports/imports.ts";
import type { JobError } from "../ports/jobs.ts";
import type { ServiceStore } from "../ports/services.ts";
import type { OptionsResult } from "./options.ts";
import { operatorRow } from "./service-tokens.ts";
import type { Outcome } from "./users.ts";

export interface ImportCommand {
  path: string;
}

export interface ImportPorts {
  services: Pick<ServiceStore, "writeAudit">;
  /** Null: there is no such file. */
  importFrom(
    path: string,
  ): Promise<{ ok: true; counts: ImportCounts } | { ok: false; error: JobError } | null>;
}

export function readImportOptions(args: string[]): OptionsResult<ImportCommand> {
  const [path] = args;
  if (path === undefined || args.length > 1 || path.startsWith("-")) {
    return { ok: false, problem: "import wants the path of one file" };
  }
  return { ok: true, options: { path } };
}

export async function importOutcome(
  { path }: ImportCommand,
  { services, importFrom }: ImportPorts,
): Promise<Outcome> {
  const outcome = await importFrom(path);
  if (outcome === null) return { exitCode: 1, text: `There is no file ${path}.\n` };
  if (!outcome.ok) {
    const { message, details = [] } = outcome.error;
    const lines = (details as { line: number; problem: string }[]).map(
      ({ line, problem }) => `line ${line}: ${problem}`,
    );
    return { exitCode: 1, text: `${[message, ...lines].join("\n")}\n` };
  }
  await services.writeAudit([operatorRow("import", "all", [])]);
  const { users, conversations, messages } = outcome.counts;
  return {
    exitCode: 0,
    text: `${path}: ${users} users, ${conversations} conversations, ${messages} messages.\n`,
  };
}
