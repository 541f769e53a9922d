/**
 * How long the workers wait for what a client owes them, on connections that the front door
 * has long handed over. All at once, for the longest takes half a minute.
 */
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { RawConnection } from "../support/raw.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ workers: 1 });

/** The figures of src/edge/http/server/server.ts, and the interval at which they are looked at. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const CHECK_MS = 5_000;
const SLACK_MS = 3_000;

const POST = "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n";

/** Says `more` again and again until the server has closed; answers after how long it did. */
async function trickles(wire: RawConnection, first: string, more: string): Promise<number> {
  const startedMs = performance.now();
  wire.writes(first);
  const timer = setInterval(() => wire.writes(more), 500);
  try {
    await wire.untilClosed(REQUEST_MS + CHECK_MS + SLACK_MS);
    return performance.now() - startedMs;
  } finally {
    clearInterval(timer);
    wire.end();
  }
}

test("[DDL1] slow headers on a kept connection, slow bodies, slow bodies of polls", async () => {
  const { port } = troupe();
  const [kept, body, poll] = await Promise.all([1, 2, 3].map(() => RawConnection.to(port)));

  kept!.writes("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  await eventually("the first request is answered", () => kept!.received.includes("200 OK"));
  const sid = /"sid":"([^"]+)"/.exec(
    (await troupe().http.get<string>("/socket.io/?EIO=4&transport=polling")).text,
  )?.[1];

  const [keptMs, bodyMs, pollMs] = await Promise.all([
    trickles(kept!, "GET /healthz HTTP/1.1\r\nX-Slow: ", "a"),
    trickles(body!, `POST /api/auth/login HTTP/1.1\r\nHost: x\r\n${POST}`, " "),
    trickles(
      poll!,
      `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\n${POST}`,
      " ",
    ),
  ]);
  expect(keptMs).toBeLessThan(HEADERS_MS + CHECK_MS + SLACK_MS);
  expect(bodyMs).toBeLessThan(REQUEST_MS + CHECK_MS + SLACK_MS);
  expect(pollMs).toBeLessThan(REQUEST_MS + CHECK_MS + SLACK_MS);
  expect(kept!.received).toMatch(/HTTP\/1\.1 400 .*did not arrive in time/s);
  expect(body!.received).toMatch(/^HTTP\/1\.1 400 .*did not arrive in time/s);
}, 60_000);
