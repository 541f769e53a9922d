/** `troupe export`: a conversation, a user or everything, beside a running server or without one. */
import { parseArgs } from "node:util";
import type { ExportedThing } from "../ports/exports.ts";
import type { ServiceStore } from "../ports/services.ts";
import { isId } from "../protocol/ids.ts";
import type { OptionsResult } from "./options.ts";
import { operatorRow } from "./service-tokens.ts";
import type { Outcome } from "./users.ts";

export interface ExportCommand {
  thing: ExportedThing;
  path: string;
}

export interface ExportPorts {
  services: Pick<ServiceStore, "writeAudit">;
  isThere(thing: ExportedThing): Promise<boolean>;
  /** Null: there is a file of that name already. */
  exportTo(thing: ExportedThing, path: string): Promise<{ lines: number; files: number } | null>;
}

export function readExportOptions(args: string[]): OptionsResult<ExportCommand> {
  const text = { type: "string" } as const;
  let values: { all?: boolean; conversation?: string; user?: string; out?: string };
  try {
    const options = {
      all: { type: "boolean" },
      conversation: text,
      user: text,
      out: text,
    } as const;
    values = parseArgs({ args, options }).values;
  } catch (error) {
    // parseArgs says which option it does not know.
    return { ok: false, problem: error instanceof Error ? error.message : String(error) };
  }
  const { all, conversation, user, out = "troupe-export.zip" } = values;
  const things: ExportedThing[] = [
    ...(all === true ? [{ is: "all" } as const] : []),
    ...(conversation === undefined ? [] : [{ is: "conversation", id: conversation } as const]),
    ...(user === undefined ? [] : [{ is: "user", id: user } as const]),
  ];
  const [thing] = things;
  if (thing === undefined || things.length > 1 || ("id" in thing && !isId(thing.id))) {
    const problem = "export wants one of --all, --conversation with an id and --user with an id";
    return { ok: false, problem };
  }
  return { ok: true, options: { thing, path: out } };
}

export async function exportOutcome(
  { thing, path }: ExportCommand,
  { services, isThere, exportTo }: ExportPorts,
): Promise<Outcome> {
  const name = thing.is === "all" ? "all" : `${thing.is}:${thing.id}`;
  if (!(await isThere(thing))) return { exitCode: 1, text: `There is no ${name}.\n` };
  const written = await exportTo(thing, path);
  if (written === null) return { exitCode: 1, text: `${path} is there already.\n` };
  await services.writeAudit([operatorRow("export", name, [])]);
  const { lines, files } = written;
  return { exitCode: 0, text: `${path} holds ${lines} lines and ${files} files.\n` };
}
