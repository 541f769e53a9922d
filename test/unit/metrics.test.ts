import { afterEach, describe, expect, test } from "vitest";
import {
  addMetrics,
  createMetrics,
  hostMetricsText,
  type Metrics,
} from "../../src/base/metrics.ts";

const made: Metrics[] = [];
function metricsOf(part: "edge" | "thread", worker: string): Metrics {
  const metrics = createMetrics({ part, worker });
  made.push(metrics);
  return metrics;
}
afterEach(() => {
  for (const metrics of made.splice(0)) metrics.close();
});

/** As registries travel between processes. */
const carried = async (metrics: Metrics) => JSON.parse(JSON.stringify(await metrics.toJson()));

describe("metrics", () => {
  test("plain numbers appear when scraped, and not twice", async () => {
    const metrics = metricsOf("edge", "h/0");
    metrics.counts.sends += 3;
    metrics.frames.add("ask", "in", 2);
    metrics.frames.add("ask", "in");
    metrics.events.add("typing");
    metrics.refusals.add("typing", "not_found");
    metrics.httpRequests.add("/api/me", 200);
    metrics.gauges.sessions = () => 5;
    metrics.gauges.actors = () => ({ user: 2 });
    metrics.gauges.activated = () => ({ user: 7 });
    for (let scrape = 0; scrape < 2; scrape++) {
      const text = await metrics.registry.metrics();
      for (const line of [
        "troupe_sends_total 3",
        "troupe_sessions 5",
        'troupe_actors{kind="user"} 2',
        'troupe_activations_total{kind="user"} 7',
        'troupe_frames_total{type="ask",direction="in"} 3',
        'troupe_events_total{event="typing"} 1',
        'troupe_refusals_total{event="typing",code="not_found"} 1',
        'http_requests_total{route="/api/me",status="200"} 1',
      ]) {
        expect(text.split("\n")).toContain(line);
      }
      expect(text).toMatch(/process_resident_memory_bytes\{worker="h\/0"\} \d{7,}/);
      expect(text).toMatch(/process_cpu_seconds_total\{worker="h\/0"\} [\d.]+/);
    }
  });

  test("of a host are summed; processes stay apart; of lag the worst counts", async () => {
    const [edge, thread, other] = [
      metricsOf("edge", "h/0"),
      metricsOf("thread", "h/0"),
      metricsOf("edge", "h/1"),
    ];
    edge.counts.deliveries = 10;
    other.counts.deliveries = 5;
    thread.commit(4, 0.002);
    thread.commit(200, 0.02);
    edge.gauges.sessions = () => 1;
    other.gauges.sessions = () => 2;
    const worker = await addMetrics([await carried(edge), await carried(thread)]);
    const text = await hostMetricsText([worker, await carried(other), null, "damaged"]);
    const lines = text.split("\n");
    for (const line of [
      "troupe_deliveries_total 15",
      "troupe_sessions 3",
      "troupe_commit_batch_rows_count 2",
      "troupe_commit_batch_rows_sum 204",
      'troupe_commit_batch_rows_bucket{le="4"} 1',
    ]) {
      expect(lines).toContain(line);
    }
    expect(lines.filter((line) => line.startsWith("process_resident_memory_bytes{"))).toHaveLength(
      2,
    );
    const lags = lines.filter((line) => line.startsWith("troupe_event_loop_lag_seconds{"));
    expect(lags).toHaveLength(4);
    for (const lag of lags) expect(Number(lag.split(" ")[1])).toBeLessThan(10);
  });
});
