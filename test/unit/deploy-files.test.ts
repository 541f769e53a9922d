/** The files in .deploy say what Troupe has: variables, addresses and metrics. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { loadConfig } from "../../src/config/config.ts";
import { CONFIG_KEYS } from "../../src/config/keys.ts";
import { ROUTES } from "../../src/protocol/routes.ts";

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const read = (name: string) => readFileSync(pathOf(name), "utf8");

/** Those that the guide "Operations" has a row for, which another test holds against the server. */
const METRICS = new Set(
  [...read("src/web/docs/operations.md").matchAll(/^\| `([a-z_]+)` \|/gm)].map((row) => row[1]!),
);
const ANY_HOST = ["up"];

/** Names of metrics in PromQL. */
function metricsIn(text: string): string[] {
  const names = text.match(/\b(?:troupe|http|process|up)(?:_[a-z]+)*\b(?=[{[) ]|$)/gm) ?? [];
  return [...new Set(names)].map((name) => name.replace(/_bucket$/, ""));
}

const expressionsOf = {
  rules: () =>
    (
      parse(read(".deploy/prometheus-rules.yaml")) as {
        groups: { rules: { expr: string }[] }[];
      }
    ).groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  dashboard: () =>
    (
      JSON.parse(read(".deploy/grafana-dashboard.json")) as {
        panels: { targets: { expr: string }[] }[];
      }
    ).panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
};

test.each(["rules", "dashboard"] as const)("[DPL1] every metric of the %s exists", (kind) => {
  const expressions = expressionsOf[kind]();
  expect(expressions.length).toBeGreaterThan(8);
  for (const expression of expressions) {
    const names = metricsIn(expression);
    expect(names.length, expression).toBeGreaterThan(0);
    for (const name of names) {
      expect(METRICS.has(name) || ANY_HOST.includes(name), `${name} in ${expression}`).toBe(true);
    }
  }
});

interface Container {
  ports: { name: string; containerPort: number }[];
  env: { name: string; value: string }[];
  livenessProbe: { httpGet: { path: string } };
  readinessProbe: { httpGet: { path: string } };
  startupProbe: { httpGet: { path: string } };
}

describe("kubernetes.yaml", () => {
  const documents = parseAllDocuments(read(".deploy/kubernetes.yaml"));
  const objects = documents.map((document) => document.toJS() as Record<string, unknown>);
  const pod = (objects[0]!["spec"] as { template: { spec: unknown } }).template.spec as {
    terminationGracePeriodSeconds: number;
    containers: Container[];
  };
  const container = pod.containers[0]!;
  const env = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));

  test("[DPL2] it is YAML, and each object says what it is", () => {
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    expect(objects.map(({ kind }) => kind)).toEqual([
      "Deployment",
      "PodDisruptionBudget",
      "Service",
    ]);
  });

  test("[DPL2] its variables are Troupe's, with values that are taken", () => {
    const known = Object.values(CONFIG_KEYS).map(({ name }) => name);
    for (const name of Object.keys(env)) expect(known).toContain(name);
    const outcome = loadConfig(env);
    expect(outcome.ok ? [] : outcome.problems).toEqual([]);
  });

  test("[DPL2] probes and ports are those that Troupe answers", () => {
    const paths = Object.values(ROUTES).map(({ path }) => path as string);
    for (const probe of [
      container.livenessProbe,
      container.readinessProbe,
      container.startupProbe,
    ]) {
      expect(paths).toContain(probe.httpGet.path);
    }
    const ports = container.ports.map(({ containerPort }) => containerPort);
    expect(ports).toEqual([3000, Number(env["METRICS_PORT"])]);
  });

  test("[DPL2] a pod has time for its delay and its drain", () => {
    const drainMs = 10_000;
    const needed = Number(env["DRAIN_DELAY_MS"]) + drainMs;
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(needed + 10_000);
  });
});

const HAPROXY = "/usr/sbin/haproxy";
test.skipIf(!existsSync(HAPROXY))("[DPL3] haproxy takes haproxy.cfg without a warning", () => {
  // Its hosts have names of the deployment.
  const text = read(".deploy/haproxy.cfg").replaceAll(/\btroupe-[12]:3000\b/g, "127.0.0.1:3000");
  const folder = mkdtempSync(join(tmpdir(), "haproxy-"));
  try {
    const file = join(folder, "haproxy.cfg");
    writeFileSync(file, text);
    const { status, stdout, stderr } = spawnSync(HAPROXY, ["-c", "-f", file], { encoding: "utf8" });
    expect(stdout + stderr).not.toMatch(/warning/i);
    expect(status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
