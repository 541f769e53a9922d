/** Requests by their ids, from outside. */
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile();

async function idOf(path: string, init: RequestInit = {}): Promise<string | null> {
  const answer = await fetch(troupe().url + path, init);
  // An answer that is not read keeps its connection.
  await answer.arrayBuffer();
  return answer.headers.get("x-request-id");
}

test("[RID2] every answer has an id, refusals, pages and unknown addresses too", async () => {
  const ids = await Promise.all(
    ["/", "/healthz", "/metrics", "/api/me", "/nowhere", "/api/openapi.json"].map((path) =>
      idOf(path),
    ),
  );
  for (const id of ids) expect(id).toMatch(/^[\w-]{8,40}$/);
  expect(new Set(ids).size).toBe(ids.length);
});

test("[RID2] a client's own id comes back, and the log names it", async () => {
  const [ann] = await troupe().users("ann");
  const headers = { "x-request-id": "from-the-proxy-7", authorization: `Bearer ${ann!.token}` };
  expect(await idOf("/api/ops/summary", { headers })).toBe("from-the-proxy-7");
  await eventually("the refusal is in the log", () =>
    troupe()
      .stderr.split("\n")
      .some((line) => line.includes("access_refused") && line.includes("from-the-proxy-7")),
  );
});
