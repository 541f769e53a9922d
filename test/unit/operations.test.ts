import { pino } from "pino";
import { expect, test } from "vitest";
import { createMetrics } from "../../src/base/metrics.ts";
import { DEFAULT_LIMITS } from "../../src/config/limit-keys.ts";
import { operationRoutes } from "../../src/edge/http/routes/operations.ts";
import { startHttpApi } from "../support/http-api.ts";

test("[OPN1] those who ask for metrics at the same time share a collection that began after they asked", async () => {
  const running: (() => void)[] = [];
  const collect = () =>
    new Promise<{ registries: unknown[] }>((resolve) => {
      running.push(() => resolve({ registries: [] }));
    });
  const metrics = createMetrics({ part: "edge", worker: "" });
  const routes = operationRoutes({
    queries: { ping: async () => undefined },
    host: { health: () => Promise.reject(new Error("not asked")), metrics: collect },
    metrics,
    ready: () => [],
    log: pino({ level: "silent" }),
  });
  const ask = () =>
    routes.metrics({
      params: {},
      query: {},
      body: {},
      caller: null,
      address: "192.0.2.1",
      userAgent: null,
    });
  const first = ask();
  const others = [ask(), ask(), ask()];
  expect(running).toHaveLength(1);
  running[0]?.();
  expect(await first).toMatchObject({ ok: true, value: { status: 200 } });
  await expect.poll(() => running.length).toBe(2);
  running[1]?.();
  for (const answer of await Promise.all(others)) expect(answer.ok).toBe(true);
  expect(running).toHaveLength(2);
  metrics.close();
});

test("[OPN2] an address asks for health, readiness and metrics so often, and /metrics counts ten times", async () => {
  const limits = { ...DEFAULT_LIMITS, operations: { perS: 0.001, burst: 22 } };
  const http = await startHttpApi({ limits });
  const ask = async (path: string) => (await http.call("GET", path)).status;
  try {
    expect(await ask("/metrics")).toBe(200);
    expect(await ask("/metrics")).toBe(200);
    const refused = await http.call("GET", "/metrics");
    expect([refused.status, refused.body.error.code]).toEqual([429, "rate_limited"]);
    expect(refused.body.error.retry_after_ms).toBeGreaterThan(0);
    expect(await ask("/healthz")).toBe(200);
    expect([await ask("/healthz"), await ask("/readyz")]).toEqual([429, 429]);
    // What stands behind a token has limits of its own.
    expect(await ask("/api/me")).toBe(401);
  } finally {
    await http.stop();
  }
});

test("[OPN2] RATE_LIMITS=off lifts it", async () => {
  const limits = { ...DEFAULT_LIMITS, operations: { perS: 0.001, burst: 1 } };
  const http = await startHttpApi({ rateLimits: false, limits });
  try {
    const asks = Array.from({ length: 5 }, () => http.call("GET", "/metrics"));
    for (const { status } of await Promise.all(asks)) expect(status).toBe(200);
  } finally {
    await http.stop();
  }
});
