/**
 * The environment as Troupe reads it: Node's version, each variable, and names that look like a
 * variable and are none. Pure but for what it is handed.
 */
import type { Config, ConfigProblem } from "../../config/config.ts";
import { CONFIG_KEYS } from "../../config/keys.ts";
import { doubtful, type Finding, fine, wrong } from "./finding.ts";

type Env = Readonly<Record<string, string | undefined>>;

const NODE_MIN = [20, 19] as const;
const NAMES = Object.values(CONFIG_KEYS).map(({ name }) => name);

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNewEnough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  const wanted = NODE_MIN.join(".");
  return isNewEnough
    ? fine("Node.js", version)
    : wrong("Node.js", version, `install Node.js ${wanted} or newer`);
}

/** One finding for each wrong variable; one for all where none is. */
export function checkVariables(env: Env, problems: readonly ConfigProblem[]): Finding[] {
  const wrongOnes = problems.map(({ name, meaning, found, wants }) =>
    wrong(name, `found ${found}`, `should be ${wants} (${meaning})`),
  );
  if (wrongOnes.length > 0) return wrongOnes;
  const set = NAMES.filter((name) => (env[name]?.trim() ?? "") !== "");
  const found = set.length === 0 ? "all defaults" : `${set.join(", ")} set, the rest defaults`;
  return [fine("variables", found)];
}

/** Variables that are right and still rarely meant so. */
export function checkChoices(config: Config, cores: number): Finding[] {
  const findings: Finding[] = [];
  if (!config.rateLimits) {
    findings.push(
      doubtful(
        "RATE_LIMITS",
        "off: anyone can flood this server",
        "turn it on, but for load tests on your own machine",
      ),
    );
  }
  if (config.workers > 2 * cores) {
    findings.push(
      doubtful(
        "WORKERS",
        `${config.workers} on ${cores} cores`,
        "more workers than cores take turns and memory; leave it unset for one a core",
      ),
    );
  }
  if (config.redisUrl !== null && new URL(config.redisUrl).protocol === "redis:") {
    const { hostname, password } = new URL(config.redisUrl);
    if (password === "" && !isLocal(hostname)) {
      findings.push(
        doubtful(
          "REDIS_URL",
          "no password, and not this machine",
          "whoever reaches that Redis can read and forge what hosts say: set a password, or keep it in a private network",
        ),
      );
    }
  }
  return findings;
}

export function isLocal(hostname: string): boolean {
  return ["localhost", "127.0.0.1", "[::1]", "::1"].includes(hostname);
}

/** "DATABASE_URI" beside an unset DATABASE_URL: most likely a slip. */
export function checkSlips(env: Env): Finding[] {
  const unset = NAMES.filter((name) => (env[name]?.trim() ?? "") === "");
  const known = new Set<string>(NAMES);
  return Object.keys(env).flatMap((name) => {
    if (known.has(name) || name.length < 5) return [];
    const meant = unset.find((one) => one.length >= 5 && distance(one, name.toUpperCase()) <= 2);
    if (meant === undefined) return [];
    const advice = `Troupe reads ${meant}; ${name} is ignored`;
    return [doubtful(name, `set, and ${meant} is not`, advice)];
  });
}

/** Letters to change, add or leave out (Levenshtein), by rows. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
