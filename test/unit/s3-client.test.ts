/** [FSS5] Answers of an S3-compatible store that the one in the other tests never gives. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { S3Client } from "../../src/storage/files/s3-client.ts";
import { bodyOf } from "../../src/storage/files/spool.ts";

let server: Server;
let client: S3Client;
let answers: ((request: IncomingMessage, response: ServerResponse) => void)[];
let asked: string[];

beforeEach(async () => {
  answers = [];
  asked = [];
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume().on("end", () => answers.shift()?.(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const store = { endpoint: `http://127.0.0.1:${port}`, region: "eu-1", bucket: "b", prefix: "p/" };
  const keys = { accessKeyId: "key", secretAccessKey: "secret", sessionToken: "token" };
  client = new S3Client({ ...store, ...keys }, systemClock);
});
afterEach(async () => {
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const says =
  (status: number, text = "") =>
  (_: IncomingMessage, response: ServerResponse) =>
    response.writeHead(status).end(text);

describe("an S3-compatible store", () => {
  test("[FSS5] a list of several pages is read to its end", async () => {
    const more =
      "<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b=</NextContinuationToken>";
    answers.push(says(200, `<R><Contents><Key>p/f/1</Key></Contents>${more}</R>`));
    answers.push(
      says(200, "<R><Contents><Key>p/f/2</Key></Contents><IsTruncated>false</IsTruncated></R>"),
    );
    expect(await client.list("f/")).toEqual(["1", "2"]);
    expect(asked[1]).toContain("continuation-token=a%26b%3D");
  });

  test("[FSS5] what fails in passing is tried again, what is refused is not", async () => {
    answers.push(says(503), (request) => request.socket.destroy(), says(200));
    await client.put("k", bodyOf("text"));
    expect(asked).toEqual(Array(3).fill("PUT /b/p/k"));
    answers.push(says(403, "<Error><Code>AccessDenied</Code></Error>"));
    await expect(client.put("k", bodyOf("text"))).rejects.toThrow("403 AccessDenied");
    answers.push(says(500), says(500), says(500));
    await expect(client.remove("k")).rejects.toThrow("500");
    expect(asked.length).toBe(7);
  });

  test("[FSS5] a failure that is told after status 200 is one", async () => {
    answers.push(says(200, "<Error><Code>InternalError</Code></Error>"));
    await expect(client.endParts("k", "id", ['"e"'])).rejects.toThrow("InternalError");
    answers.push(says(404, "<Error><Code>NoSuchUpload</Code></Error>"));
    expect(await client.endParts("k", "id", ['"e"'])).toBe(false);
  });

  test("[FSS5] a store that ignores a range gives no wrong bytes", async () => {
    answers.push(says(200, "all of it"));
    await expect(client.get("k", 4, 5)).rejects.toThrow("200");
  });

  test("[FSS5] requests are signed, with the token of a temporary key", async () => {
    let headers: IncomingMessage["headers"] = {};
    answers.push((request, response) => {
      headers = request.headers;
      response.end();
    });
    await client.put("k", bodyOf("text"));
    expect(headers["x-amz-security-token"]).toBe("token");
    expect(headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=key\/\d{8}\/eu-1\/s3\//);
    expect(headers["content-length"]).toBe("4");
  });
});
