/**
 * Runs the bundles of the application's files and reads what they define. The check at start and
 * every worker do it alike. A mistake is a sentence with file and line.
 */
import { join } from "node:path";
import type { NamespaceDefinition } from "../actor/api.ts";
import type { Bundle } from "../config/extensions.ts";

export interface LoadedNamespace {
  file: string;
  definition: NamespaceDefinition;
}

export interface Loaded {
  namespaces: LoadedNamespace[];
}

export async function load(
  dir: string,
  bundles: readonly Bundle[],
): Promise<Loaded | { problems: string[] }> {
  // Stacks then name the application's files and lines.
  process.setSourceMapsEnabled(true);
  const namespaces: LoadedNamespace[] = [];
  const problems: string[] = [];
  for (const { file, url } of bundles) {
    try {
      const { default: definition } = (await import(url)) as { default?: unknown };
      if (!isNamespace(definition)) {
        problems.push(
          `${file}:1: it should have a default export that defineNamespace has made: \`export default defineNamespace("/name", …)\`.`,
        );
        continue;
      }
      const former = namespaces.find((one) => one.definition.name === definition.name);
      if (former !== undefined) {
        const places = [definition, former.definition].map(({ place }) => placeIn(dir, place));
        problems.push(
          `${places[0] ?? file}: the namespace ${definition.name} is defined already, at ${places[1] ?? former.file}.`,
        );
        continue;
      }
      namespaces.push({ file, definition });
    } catch (fault) {
      problems.push(mistake(dir, file, fault));
    }
  }
  return problems.length > 0 ? { problems } : { namespaces };
}

/** What the application's code threw, with the place where it did. */
export function mistake(dir: string, file: string, fault: unknown): string {
  const message = fault instanceof Error ? `${fault.name}: ${fault.message}` : String(fault);
  const place = fault instanceof Error ? placeIn(dir, fault) : null;
  return `${place ?? file}: ${message}`;
}

/** `game.namespace.ts:3:9`; null where no frame of the stack is in the folder. */
export function placeIn(dir: string, { stack = "" }: Error): string | null {
  for (const line of stack.split("\n")) {
    const at = line.indexOf(join(dir, "/"));
    if (at < 0) continue;
    const place = line.slice(at + join(dir, "/").length).replace(/\)$/, "");
    if (/:\d+(:\d+)?$/.test(place)) return place;
  }
  return null;
}

function isNamespace(value: unknown): value is NamespaceDefinition {
  return typeof value === "object" && value !== null && "troupe" in value
    ? value.troupe === "namespace"
    : false;
}
