/** Which methods a path has, to tell 405 from 404. Asked only when no route has matched. */
export type AllowedMethods = (path: string) => string[];

/** `routes`: method and path pattern (`:name` for one segment). */
export function createAllowedMethods(
  routes: Iterable<{ method: string; path: string }>,
): AllowedMethods {
  const known: { method: string; segments: string[] }[] = [];
  for (const { method, path } of routes) known.push({ method, segments: path.split("/") });

  return (path) => {
    const segments = path.split("/");
    const allowed = new Set<string>();
    for (const route of known) {
      if (route.segments.length !== segments.length) continue;
      if (!route.segments.every((part, i) => part.startsWith(":") || part === segments[i]))
        continue;
      allowed.add(route.method);
      if (route.method === "GET") allowed.add("HEAD");
    }
    if (allowed.size > 0) allowed.add("OPTIONS");
    return [...allowed];
  };
}
