/** Messages that are piped in over HTTP: contract/messages.md, "Streamed messages". */
import http from "node:http";
import { describe, expect, it } from "vitest";
import type { ErrorObject } from "../../src/protocol/errors.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import type { Person } from "../support/person.ts";
import { grown, NEW, trio } from "../support/streamed.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ workers: 2 });

interface Piped {
  status: number;
  body: Message & { error?: { code: string; details?: unknown } };
}

/** A request whose body is written piece by piece. */
class PipedRequest {
  readonly answer: Promise<Piped>;
  readonly #request: http.ClientRequest;

  constructor(person: Person, path: string, method = "PUT", headers: object = {}) {
    const url = new URL(path, troupe().url);
    this.#request = http.request(url, {
      method,
      headers: {
        authorization: `Bearer ${person.token}`,
        "transfer-encoding": "chunked",
        ...headers,
      },
    });
    this.answer = new Promise((resolve, reject) => {
      this.#request.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }),
        );
      });
      this.#request.on("error", reject);
    });
    this.answer.catch(() => undefined);
    this.#request.flushHeaders();
  }

  writes(bytes: Buffer | string): void {
    this.#request.write(bytes);
  }

  ends(): void {
    this.#request.end();
  }

  cuts(): void {
    this.#request.destroy();
  }
}

describe("a message that is piped in over HTTP", () => {
  const pathOf = ({ id }: Conversation, client: string) =>
    `/api/conversations/${id}/messages/stream?client_id=${client}`;

  it("[CTR-PIP1] grows as its body arrives, wherever its characters are cut, and ends with it", async () => {
    const { ann, bob, group } = await trio(troupe());
    const reader = await bob.connects(NEW);
    const piped = new PipedRequest(ann, `${pathOf(group, "p1")}&type=answer`);
    const bytes = Buffer.from("Grüße, 😀!\r\n");
    const message = await reader.next("message");
    expect(message).toMatchObject({ type: "answer", body: "", stream: { state: "open" } });
    piped.writes(bytes.subarray(0, 3));
    expect(await grown(reader, "", 2)).toBe("Gr");
    piped.writes(bytes.subarray(3, 11));
    expect(await grown(reader, "Gr", 7)).toBe("Grüße, ");
    piped.writes(bytes.subarray(11));
    piped.ends();
    const { status, body } = await piped.answer;
    expect(status).toBe(201);
    expect(body).toMatchObject({ body: "Grüße, 😀!\n", stream: { state: "done" } });
    const again = new PipedRequest(ann, pathOf(group, "p1"), "POST");
    expect(await again.answer).toMatchObject({ status: 200, body: { seq: body.seq } });
    again.cuts();
  });

  it("[CTR-PIP2] is refused at once, before its body", async () => {
    const { ann, group } = await trio(troupe());
    const [stranger] = await troupe().users("eve");
    for (const [piped, status] of [
      [new PipedRequest(stranger!, pathOf(group, "p")), 404],
      [new PipedRequest(ann, `/api/conversations/${group.id}/messages/stream`), 400],
      [
        new PipedRequest(ann, pathOf(group, "p"), "POST", { "content-type": "application/json" }),
        415,
      ],
    ] as const) {
      expect(await piped.answer).toMatchObject({ status });
      piped.cuts();
    }
  });

  it("[CTR-PIP3] whose connection is cut is `failed`, and one whose reader asks to stop `cancelled`", async () => {
    const { ann, bob } = await trio(troupe());
    const direct = await ann.startsDirect(bob);
    const reader = await bob.connects(NEW);
    const cut = new PipedRequest(ann, pathOf(direct, "cut"));
    cut.writes("half");
    await reader.next("message_delta");
    cut.cuts();
    const failed = await reader.next("message_updated");
    expect(failed).toMatchObject({ body: "half", stream: { state: "failed" } });

    const stopped = new PipedRequest(ann, pathOf(direct, "stopped"), "POST");
    stopped.writes("and so on");
    const { seq } = await reader.next("message_delta");
    await reader.does("signal", {
      conversation_id: direct.id,
      type: "stream.stop",
      data: { seq },
    });
    expect(await stopped.answer).toMatchObject({
      status: 201,
      body: { body: "and so on", stream: { state: "cancelled" } },
    });
    stopped.cuts();
  });

  it("[CTR-PIP5] is refused with what is wrong with its address", async () => {
    const { ann, group } = await trio(troupe());
    const asks = async (query: string) => {
      const path = `/api/conversations/${group.id}/messages/stream?${query}`;
      const { status, body } = await ann.api.post<{ error: ErrorObject }>(path, {});
      expect(status).toBe(400);
      return (body as { error: ErrorObject }).error.details;
    };
    expect(await asks("type=ai.x")).toEqual([
      { in: "query", at: "client_id", problem: "is missing" },
    ]);
    expect(await asks("client_id=a&zzz=1")).toMatchObject([{ in: "query", at: "zzz" }]);
    expect(await asks("client_id=a&type=No")).toMatchObject([{ in: "query", at: "type" }]);
  });

  it("[CTR-PIP4] is of at most 64 KiB", async () => {
    const { ann, bob, group } = await trio(troupe());
    const reader = await bob.connects(NEW);
    const piped = new PipedRequest(ann, pathOf(group, "large"));
    piped.writes("x".repeat(70_000));
    expect(await piped.answer).toMatchObject({ status: 413 });
    piped.cuts();
    const ended = await reader.next("message_updated", ({ stream }) => stream?.state !== "open");
    expect(ended.stream).toEqual({ state: "failed" });
  });
});
