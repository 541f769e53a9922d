/**
 * The text on stdout once Troupe accepts connections. It holds no secret except the
 * operator's token at the one start that made the secret which signs it.
 */
import { networkInterfaces } from "node:os";
import type { Config } from "../config/config.ts";

export interface BannerFacts {
  config: Config;
  port: number;
  ms: number;
  /** Shown once; null when `troupe token` must be used instead. */
  opsToken: string | null;
}

export function banner({ config, port, ms, opsToken }: BannerFacts): string {
  const [first, ...others] = addresses(config, port);
  const rows: [string, string][] = [
    ["address", first!],
    ...others.map((address): [string, string] => ["", address]),
    ["docs", `${first}/docs`],
    ["operate", `${first}/ops`],
    ["", opsHint(config, opsToken)],
    ["workers", String(config.workers)],
    ["database", database(config)],
    ["stop", "Ctrl-C or SIGTERM (a second one: at once); SIGHUP: new workers, one by one"],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(9)} ${value}`);
  return `\nTroupe is ready after ${ms} ms.\n\n${lines.join("\n")}\n\n`;
}

function opsHint(config: Config, opsToken: string | null): string {
  if (opsToken !== null) return `with this token, shown once, good for an hour: ${opsToken}`;
  if (config.jwtJwksUrl !== null)
    return 'with a token of your issuer that SERVICE_SUBJECTS and the scope "troupe:ops" let in';
  return "with the token that `troupe token --scope ops` prints";
}

function addresses(config: Config, port: number): string[] {
  const scheme = config.tlsCert === null ? "http" : "https";
  const { basePath } = config;
  const at = (host: string) =>
    `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}${basePath}`;
  if (config.host !== "0.0.0.0" && config.host !== "::") return [at(config.host)];
  const outside = Object.values(interfaces())
    .flatMap((list) => list ?? [])
    .filter((address) => !address.internal && address.family === "IPv4")
    .map((address) => at(address.address));
  return [at("localhost"), ...outside];
}

/** None where the process may not ask for them, as under a unit that forbids AF_NETLINK. */
function interfaces(): ReturnType<typeof networkInterfaces> {
  try {
    return networkInterfaces();
  } catch {
    // The banner only shows addresses; that they are unknown must not end a start.
    return {};
  }
}

function database(config: Config): string {
  if (config.databaseUrl === null) return `embedded PostgreSQL, data in ${config.dataDir}`;
  return `PostgreSQL at ${withoutCredentials(config.databaseUrl)}`;
}

function withoutCredentials(url: string): string {
  // A URL that pg accepts and URL does not must not fail the start; canParse would parse twice.
  try {
    const { host, pathname } = new URL(url);
    return `${host}${pathname}`;
  } catch (error) {
    if (error instanceof TypeError) return "DATABASE_URL";
    throw error;
  }
}
