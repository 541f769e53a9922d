/**
 * The path prefix (BASE_PATH) under which a proxy publishes Troupe. Requests are understood with
 * the prefix and without it, because some proxies take it off and some do not.
 */

/** `target` without the prefix. A target that only begins alike (`/chats` of `/chat`) is kept. */
export function withoutBasePath(target: string, basePath: string): string {
  if (basePath === "" || !target.startsWith(basePath)) return target;
  const rest = target.slice(basePath.length);
  if (rest.startsWith("/")) return rest;
  return rest === "" || rest.startsWith("?") ? `/${rest}` : target;
}
