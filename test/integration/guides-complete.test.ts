/** Tables that name everything: metrics in the guide, variables in README. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CONFIG_KEYS } from "../../src/config/keys.ts";
import { makeCertificate } from "../support/certificates.ts";
import { startTroupe } from "../support/cluster.ts";
import { RedisServer, whyNoRedis } from "../support/redis.ts";
import { ROOT } from "../support/snippets.ts";
import { noSocketsLeft } from "../support/suite.ts";

const pageOf = (path: string) => readFileSync(join(ROOT, path), "utf8");
if (whyNoRedis !== null) console.warn(`metrics of the guide: ${whyNoRedis}`);

it.skipIf(whyNoRedis !== null)(
  "[GDE4] the operations guide has every metric that a host with TLS and Redis exposes, and no other",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "troupe-guide-"));
    const redis = await RedisServer.start();
    try {
      const troupe = await startTroupe({
        tls: makeCertificate(folder, "guide"),
        env: { REDIS_URL: redis.url },
      });
      const { text } = await troupe.http.get<string>("/metrics");
      await troupe.stop();
      const exposed = [...text.matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1]);
      const described = rowsOf(pageOf("src/web/docs/operations.md")).flatMap(([name = ""]) =>
        [...name.matchAll(/^`((?:troupe|http|process)_\w+)`$/g)].map((match) => match[1]),
      );
      expect(exposed.length).toBeGreaterThan(20);
      expect(described.sort()).toEqual(exposed.sort());
      for (const [name = "", labels = ""] of rowsOf(pageOf("src/web/docs/operations.md"))) {
        const metric = /^`((?:troupe|http|process)_\w+)`$/.exec(name)?.[1];
        if (metric === undefined) continue;
        const found = new Set(
          [...text.matchAll(new RegExp(`^${metric}(?:_bucket|_sum|_count)?\\{(.*)\\} `, "gm"))]
            .flatMap((match) => [...match[1]!.matchAll(/(\w+)="/g)].map((label) => label[1]!))
            .filter((label) => label !== "le"),
        );
        const told = [...labels.matchAll(/`(\w+)`/g)].map((match) => match[1]!);
        // Some have nothing to count yet, and so no labels.
        if (found.size > 0) expect([...found].sort(), metric).toEqual(told.sort());
      }
    } finally {
      await redis.dies();
      rmSync(folder, { recursive: true });
      await noSocketsLeft();
    }
  },
);

describe("README", () => {
  const variables = new Map(
    rowsOf(pageOf("README.md")).flatMap(([names = "", defaults = ""]): [string, string][] => {
      const found = [...names.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map((match) => match[1]!);
      const texts = found.length === 1 ? [defaults] : defaults.split(/,\s*/);
      const values = texts.map((text) => text.replaceAll("`", ""));
      return found.map((name, n) => [name, values[n] ?? values[0] ?? ""]);
    }),
  );

  it("[GDE5] README has every variable of the configuration, and no other", () => {
    const known = Object.values(CONFIG_KEYS).map(({ name }) => name);
    expect([...variables.keys()].sort()).toEqual([...known].sort());
  });

  it("[GDE6] README tells the defaults that are used", () => {
    const inWords: Record<string, string> = { "": "none", "*": "any" };
    const wrong = Object.values(CONFIG_KEYS).flatMap((key) => {
      const told = variables.get(key.name);
      const used = inWords[key.default] ?? key.default;
      return told === used ? [] : [`${key.name}: README says ${told}, it is ${used}`];
    });
    expect(wrong).toEqual([]);
  });
});

/** The cells of every row of every table. */
function rowsOf(markdown: string): string[][] {
  return markdown
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}
