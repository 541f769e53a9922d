/** A message piped in over HTTP for longer than any other request may take. */
import http from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import type { Message } from "../../src/protocol/schemas.ts";
import { troupeForFile } from "../support/suite.ts";

/** Node looks every 5 s for requests of more than 30 s. */
const LONG_MS = 37_000;
const PIECE_EVERY_MS = 1_000;
const troupe = troupeForFile({ workers: 1 });

it("[CTR-PIP5] a message is piped in for as long as its text comes, and silence of 30 s leaves it `failed`", async () => {
  const [ann, bob] = await troupe().users("ann", "bob");
  const group = await ann!.startsGroup(bob!);
  const pipes = (client: string) => {
    const path = `/api/conversations/${group.id}/messages/stream?client_id=${client}`;
    const request = http.request(new URL(path, troupe().url), {
      method: "PUT",
      headers: { authorization: `Bearer ${ann!.token}`, "transfer-encoding": "chunked" },
    });
    const answer = new Promise<{ status: number; message: Message }>((resolve, reject) => {
      request.on("error", reject);
      request.on("response", async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        const message = JSON.parse(Buffer.concat(chunks).toString());
        resolve({ status: response.statusCode ?? 0, message });
      });
    });
    request.flushHeaders();
    return { request, answer };
  };
  const [long, silent] = [pipes("long"), pipes("silent")];
  silent.request.write("and then");
  let text = "";
  const from = performance.now();
  while (performance.now() - from < LONG_MS) {
    text += "word ";
    long.request.write("word ");
    await delay(PIECE_EVERY_MS);
  }
  long.request.end();
  expect(await long.answer).toMatchObject({
    status: 201,
    message: { body: text, stream: { state: "done" } },
  });
  expect(await silent.answer).toMatchObject({
    status: 201,
    message: { body: "and then", stream: { state: "failed" } },
  });
  silent.request.destroy();
});
