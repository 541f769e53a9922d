/**
 * Runs the bundles of the application's files and reads what they define. The check at start,
 * every worker and the threads of actors do it alike, each with the files that it needs. A mistake
 * is a sentence with file and line.
 */
import { join } from "node:path";
import type { ActorDefinition, HooksDefinition, NamespaceDefinition } from "../actor/api.ts";
import { KindOfActor } from "../actor/turns.ts";
import type { Bundle } from "../config/extensions.ts";

export interface LoadedNamespace {
  file: string;
  definition: NamespaceDefinition;
}

export interface LoadedHooks {
  file: string;
  definition: HooksDefinition;
}

export interface Loaded {
  namespaces: LoadedNamespace[];
  actors: KindOfActor[];
  /** By their files' names. */
  hooks: LoadedHooks[];
}

type NamedDefinition = NamespaceDefinition | ActorDefinition;
type Definition = NamedDefinition | HooksDefinition;

/** The default export that a file of each kind should have. */
const SHOULD_BE = {
  namespace:
    'a default export that defineNamespace has made: `export default defineNamespace("/name", …)`',
  actor: "a default export that defineActor has made: `export default defineActor({…})`",
  hooks: "a default export that defineHooks has made: `export default defineHooks({…})`",
} as const;

export async function load(
  dir: string,
  bundles: readonly Bundle[],
): Promise<Loaded | { problems: string[] }> {
  // Stacks then name the application's files and lines.
  process.setSourceMapsEnabled(true);
  const loaded: Loaded = { namespaces: [], actors: [], hooks: [] };
  const problems: string[] = [];
  const known = new Map<string, { definition: NamedDefinition; file: string }>();
  for (const { file, kind, url } of bundles) {
    try {
      const { default: definition } = (await import(url)) as { default?: unknown };
      if (!isDefinition(definition) || definition.troupe !== kind) {
        problems.push(`${file}:1: it should have ${SHOULD_BE[kind]}.`);
        continue;
      }
      if (definition.troupe === "hooks") {
        loaded.hooks.push({ file, definition });
        continue;
      }
      const name = nameOf(definition);
      const former = known.get(name);
      if (former !== undefined) {
        const places = [definition, former.definition].map(({ place }) => placeIn(dir, place));
        problems.push(
          `${places[0] ?? file}: ${name} is defined already, at ${places[1] ?? former.file}.`,
        );
        continue;
      }
      known.set(name, { definition, file });
      if (definition.troupe === "namespace") loaded.namespaces.push({ file, definition });
      else {
        const actor = readActor(dir, file, definition);
        if (typeof actor === "string") problems.push(actor);
        else loaded.actors.push(actor);
      }
    } catch (fault) {
      problems.push(mistake(dir, file, fault));
    }
  }
  return problems.length > 0 ? { problems } : loaded;
}

function readActor(dir: string, file: string, definition: ActorDefinition): KindOfActor | string {
  try {
    return new KindOfActor(definition);
  } catch (fault) {
    const why = fault instanceof Error ? fault.message : String(fault);
    return `${placeIn(dir, definition.place) ?? file}: a schema cannot be used: ${why}`;
  }
}

/** There is one of each name. */
function nameOf(definition: NamedDefinition): string {
  return definition.troupe === "namespace"
    ? `the namespace ${definition.name}`
    : `the kind "${definition.kind}"`;
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

function isDefinition(value: unknown): value is Definition {
  if (typeof value !== "object" || value === null || !("troupe" in value)) return false;
  const { troupe } = value;
  return troupe === "namespace" || troupe === "actor" || troupe === "hooks";
}
