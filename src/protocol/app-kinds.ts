/**
 * The kinds of the application's actors that this process has now. A reload replaces them, so that
 * nobody keeps one for longer than it takes to use it. What other hosts have meanwhile is known of
 * the view.
 */
import type { AppKind } from "./app-actors.ts";
import { REFUSALS, refused } from "./errors.ts";

/** By kind: its version and the names of its actions, as hosts announce them to each other. */
export type HostKinds = Readonly<
  Record<string, { readonly version: number; readonly actions: readonly string[] }>
>;

const NO_ACTOR = refused("not_found", "No such actor.");
const NO_ACTION = refused("not_found", "No such action.");

export type Announces = (kind: string, action?: string) => boolean;

export class AppKinds {
  #list: readonly AppKind[] = [];
  #byName: ReadonlyMap<string, AppKind> = new Map();
  /** Whether any living host announces it. */
  readonly #announces: Announces;

  constructor(kinds: readonly AppKind[], announces: Announces = () => false) {
    this.#announces = announces;
    this.adopt(kinds);
  }

  get list(): readonly AppKind[] {
    return this.#list;
  }

  adopt(kinds: readonly AppKind[]): void {
    this.#list = kinds;
    this.#byName = new Map(kinds.map((kind) => [kind.kind, kind]));
  }

  get(kind: string): AppKind | undefined {
    return this.#byName.get(kind);
  }

  /** Whether this host or another one has it. */
  isKnown(kind: string): boolean {
    return this.#byName.has(kind) || this.#announces(kind);
  }

  /** Null: it is here. What only another host has so far is `unavailable`. */
  refusalOf(kind: string, action?: string): typeof NO_ACTOR | null {
    const known = this.#byName.get(kind);
    if (known !== undefined && (action === undefined || Object.hasOwn(known.actions, action))) {
      return null;
    }
    if (this.#announces(kind, action)) return REFUSALS.unavailable;
    return known === undefined ? NO_ACTOR : NO_ACTION;
  }
}

/** Null: there are none to announce. */
export function announcedKinds(kinds: readonly AppKind[]): HostKinds | null {
  if (kinds.length === 0) return null;
  const sorted = [...kinds].sort((a, b) => (a.kind < b.kind ? -1 : 1));
  return Object.fromEntries(
    sorted.map(({ kind, version, actions }) => [
      kind,
      { version, actions: Object.keys(actions).sort() },
    ]),
  );
}

/** Whether it is such, from JSON of another process. */
export function isHostKinds(value: unknown): value is HostKinds {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(
    (kind: unknown) =>
      typeof kind === "object" &&
      kind !== null &&
      "version" in kind &&
      Number.isInteger(kind.version) &&
      "actions" in kind &&
      Array.isArray(kind.actions) &&
      kind.actions.every((action) => typeof action === "string"),
  );
}
