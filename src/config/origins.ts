/**
 * The origins of CORS_ORIGIN, and whether a page's origin is one of them.
 *
 * [ORG1] `https://*.example.com` stands for every subdomain of example.com, one label or several
 *        deep, with the same scheme and port, and not for example.com itself. A `*` stands
 *        nowhere else but as the whole first label of at least three.
 */
const WILDCARD = /^(https?:\/\/)\*(\.[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?)$/;
const LABELS = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/;

/** The origin in lower case, as it is compared; null where it is none. */
export function parseOrigin(text: string): string | null {
  const origin = text.toLowerCase();
  if (origin.includes("*")) {
    const match = WILDCARD.exec(origin);
    const sample = origin.replace("*", "any");
    return match !== null && URL.canParse(sample) && new URL(sample).origin === sample
      ? origin
      : null;
  }
  return URL.canParse(origin) && new URL(origin).origin === origin ? origin : null;
}

/** Whether pages of `origin` may call; `allowed` as CORS_ORIGIN was read, null for any. */
export function originMatcher(allowed: readonly string[] | null): (origin: string) => boolean {
  if (allowed === null) return () => true;
  const exact = new Set(allowed.filter((one) => !one.includes("*")));
  const wildcards = allowed.flatMap((one) => {
    const match = WILDCARD.exec(one);
    return match === null ? [] : [{ before: match[1] ?? "", after: match[2] ?? "" }];
  });
  return (text) => {
    const origin = text.toLowerCase();
    if (exact.has(origin)) return true;
    return wildcards.some(
      ({ before, after }) =>
        origin.startsWith(before) &&
        origin.endsWith(after) &&
        LABELS.test(origin.slice(before.length, -after.length)),
    );
  };
}
