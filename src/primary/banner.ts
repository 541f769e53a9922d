/** What a person reads on stdout once Troupe takes connections. No secret is in it. */
import { networkInterfaces } from "node:os";
import type { Config } from "../config.ts";

export interface BannerFacts {
  config: Config;
  port: number;
  ms: number;
}

export function banner({ config, port, ms }: BannerFacts): string {
  const [first, ...others] = addresses(config, port);
  const rows: [string, string][] = [
    ["address", first!],
    ...others.map((address): [string, string] => ["", address]),
    ["docs", `${first}/docs`],
    ["workers", String(config.workers)],
    ["database", database(config)],
    ["stop", "Ctrl-C or SIGTERM (a second one: at once); SIGHUP: new workers, one by one"],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(9)} ${value}`);
  return `\nTroupe is ready after ${ms} ms.\n\n${lines.join("\n")}\n\n`;
}

function addresses(config: Config, port: number): string[] {
  const scheme = config.tlsCert === null ? "http" : "https";
  const at = (host: string) => `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (config.host !== "0.0.0.0" && config.host !== "::") return [at(config.host)];
  const outside = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((address) => !address.internal && address.family === "IPv4")
    .map((address) => at(address.address));
  return [at("localhost"), ...outside];
}

function database(config: Config): string {
  if (config.databaseUrl === null) return `embedded PostgreSQL, data in ${config.dataDir}`;
  return `PostgreSQL at ${withoutCredentials(config.databaseUrl)}`;
}

function withoutCredentials(url: string): string {
  // URL.canParse would parse twice, and a URL that pg takes but URL does not is no reason to fail.
  try {
    const { host, pathname } = new URL(url);
    return `${host}${pathname}`;
  } catch (error) {
    if (error instanceof TypeError) return "DATABASE_URL";
    throw error;
  }
}
