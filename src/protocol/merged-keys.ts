/** Merging an object by its top-level keys, as PATCH does it; the twin of sql/functions/merge_keys. */

/** `null` in the patch removes a key. Undefined where nothing is left. */
export function mergedKeys<T extends object>(before: T | undefined, patch: object): T | undefined {
  const kept = Object.entries(before ?? {}).filter(([key]) => !Object.hasOwn(patch, key));
  const set = Object.entries(patch).filter(([, value]) => value !== null && value !== undefined);
  const merged = [...kept, ...set];
  return merged.length === 0 ? undefined : (Object.fromEntries(merged) as T);
}
