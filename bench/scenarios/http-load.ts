/**
 * autocannon with each connection as a person of its own, and counting right also where the
 * server closes after every answer: as it comes, autocannon (8.0) writes the next request into
 * the closing connection, waits for an answer to it, and so mistakes every latency after that.
 */
import type { Options, Result } from "autocannon";
import { StartRefusal } from "../../src/base/errors.ts";
import { Meter } from "../meter.ts";
import type { Outcome } from "../outcome.ts";
import { Histogram } from "../support/histogram.ts";
import { quiet, type Stage, WARM_UP_S } from "./scenario.ts";

export interface HttpRequest {
  method: "GET" | "POST" | "DELETE";
  path: string;
  headers?: Record<string, string>;
  /** "[<id>]" in it is another text each time. */
  body?: string;
}

export interface HttpLoad {
  connections: number;
  /** The requests of the connection with this number, repeated in turn. */
  requestsOf(connection: number): HttpRequest[];
  unit: string;
}

/** The members that autocannon's types leave out; it is a development tool with a fixed version. */
interface CannonClient {
  opts: object;
  setRequests(requests: object[]): void;
  on(event: "response", listener: (status: number, bytes: number, ms: number) => void): void;
  _resetConnection(): void;
  _doRequest(): void;
}

interface Shot {
  answered: number;
  refused: number;
  errors: number;
  latencies: Histogram;
  seconds: number;
}

export async function loadHttp(name: string, stage: Stage, load: HttpLoad): Promise<Outcome> {
  const { stack, plan, say } = stage;
  const first = load.requestsOf(0)[0]!;
  const isClosing = await closesConnections(stack.url, first);
  say("warming up");
  await shoot(stage, load, WARM_UP_S, isClosing, () => undefined);
  await quiet(stage);
  let units = 0;
  say("measuring", () => units);
  const meter = Meter.start(stack, () => units);
  const shot = await shoot(stage, load, plan.seconds, isClosing, () => {
    units++;
  });
  return meter.stop(name, load.unit, {
    units: shot.answered,
    seconds: shot.seconds,
    latencies: shot.latencies.percentilesMs(),
    latencyOf: "request → answer",
    failures: shot.refused + shot.errors,
    reasons: shot.refused > 0 ? ["answers that were not 2xx"] : [],
    extra: isClosing
      ? { connections: load.connections, "new connections a request": 1 }
      : { connections: load.connections },
  });
}

async function shoot(
  { stack: { url, places }, signal }: Stage,
  load: HttpLoad,
  seconds: number,
  isClosing: boolean,
  onAnswer: () => void,
): Promise<Shot> {
  const autocannon = await findAutocannon();
  const shot: Shot = { answered: 0, refused: 0, errors: 0, latencies: new Histogram(), seconds };
  let connection = 0;
  const beganMs = performance.now();
  const options: Options = {
    url,
    connections: load.connections,
    duration: seconds,
    setupClient: (given) => {
      const client = given as unknown as CannonClient;
      client.setRequests(load.requestsOf(connection).map(withFreshId));
      const { host, port } = places[connection++ % places.length]!;
      client.opts = { ...client.opts, hostname: host, port };
      client.on("response", (status, _bytes, ms) => {
        if (status >= 200 && status < 300) {
          shot.answered++;
          shot.latencies.add(ms * 1000);
          onAnswer();
        } else {
          shot.refused++;
        }
        if (isClosing) reconnect(client);
      });
    },
  };
  const result = await new Promise<Result>((resolve, reject) => {
    const run = autocannon(options, (error: Error | null, found) => {
      signal.removeEventListener("abort", end);
      if (error) reject(error);
      else resolve(found);
    });
    const end = () => run.stop();
    signal.addEventListener("abort", end, { once: true });
  });
  shot.errors = result.errors;
  shot.seconds = Math.min((performance.now() - beganMs) / 1000, seconds);
  return shot;
}

let ids = 0;

/** autocannon's own replacement of "[<id>]" reckons the body's length wrong (8.0): it hangs. */
function withFreshId(request: HttpRequest): object {
  const { body } = request;
  if (!body?.includes("[<id>]")) return request;
  const setupRequest = (given: object) => ({
    ...given,
    body: body.replace("[<id>]", `${process.pid}_${ids++}`),
  });
  return { ...request, setupRequest };
}

/** Reconnects, which sends the next request; the request that follows an answer is skipped once. */
function reconnect(client: CannonClient): void {
  client._resetConnection();
  const ask = client._doRequest;
  client._doRequest = () => {
    client._doRequest = ask;
  };
}

async function findAutocannon() {
  try {
    return (await import("autocannon")).default;
  } catch (error) {
    throw new StartRefusal("HTTP scenarios want autocannon: npm install autocannon.", {
      cause: error,
    });
  }
}

/** Refuses when the first request of the scenario is not answered well. */
async function closesConnections(url: string, first: HttpRequest): Promise<boolean> {
  const answer = await fetch(url + first.path, {
    method: first.method,
    headers: first.headers ?? {},
    ...(first.body === undefined ? {} : { body: first.body.replace("[<id>]", "probe") }),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) {
    throw new StartRefusal(
      `${first.method} ${first.path} answered ${answer.status}: ${await answer.text()}`,
    );
  }
  await answer.arrayBuffer();
  return answer.headers.get("connection") === "close";
}
