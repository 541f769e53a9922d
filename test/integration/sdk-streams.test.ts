/** The SDK's streamed messages against a real Troupe; see src/client/streams.ts. */
import { afterEach, describe, expect, it } from "vitest";
import { streamsOf } from "../../src/client/streams.ts";
import { upTo } from "../support/expectations.ts";
import { SdkUser, until } from "../support/sdk.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ workers: 2 });
const clients = new Set<SdkUser>();

afterEach(() => {
  for (const { client } of clients) client.close();
  clients.clear();
});

async function pair() {
  const [ann, bob] = await troupe().users("ann", "bob");
  const group = await ann!.startsGroup(bob!);
  const [writer, reader] = [new SdkUser(clients, ann!, {}), new SdkUser(clients, bob!, {})];
  for (const { client } of [writer, reader]) {
    await until("online", client.connection, ({ is }) => is === "online");
    client.open(group.id);
    await until("loaded", client.conversation(group.id), (view) => view?.isLoaded === true);
  }
  return { writer, reader, id: group.id };
}

const textOf = ({ client }: SdkUser, id: string) =>
  client.conversation(id).get()?.lastMessage?.body ?? "";

describe("streamed messages in the SDK", () => {
  it("[CSM60] [STR1] grow in the reader's view and in the writer's, and end whole", async () => {
    const { writer, reader, id } = await pair();
    streamsOf(reader.client);
    const writing = await streamsOf(writer.client).begin(id, { type: "answer" });
    writing.append("Hello ");
    await until("it grows", reader.client.conversation(id), () => textOf(reader, id) === "Hello ");
    await until("one's own", writer.client.conversation(id), () => textOf(writer, id) === "Hello ");
    for (const n of upTo(300)) writing.append(`wörd${n} 😀 `);
    const ended = await writing.end("done", { tokens: 300 });
    expect(ended.body).toContain("wörd300 😀 ");
    const shown = await until(
      "the end",
      reader.client.conversation(id),
      (view) => view?.lastMessage?.stream?.state === "done",
    );
    expect(shown?.lastMessage).toEqual(ended);
    expect(writer.client.conversation(id).get()?.lastMessage).toEqual(ended);
  });

  it("[CSM61] a reader whose connection is cut has all of it afterwards, and goes on", async () => {
    const { writer, reader, id } = await pair();
    streamsOf(reader.client);
    const writing = await streamsOf(writer.client).begin(id);
    writing.append("before ");
    await until("it grows", reader.client.conversation(id), () => textOf(reader, id) === "before ");
    reader.client.close();
    writing.append("meanwhile ");
    await until("it is sent", writer.client.conversation(id), () =>
      textOf(writer, id).endsWith("meanwhile "),
    );
    reader.client.retryNow();
    await until("it is resumed", reader.client.conversation(id), () =>
      textOf(reader, id).endsWith("meanwhile "),
    );
    writing.append("after");
    await until(
      "it goes on",
      reader.client.conversation(id),
      () => textOf(reader, id) === "before meanwhile after",
    );
    await writing.end();
  });

  it("[CSM62] the writer is asked to stop by who may", async () => {
    const { writer, reader, id } = await pair();
    const writing = await streamsOf(writer.client).begin(id);
    const { seq } = writing.message;
    await expect(streamsOf(reader.client).stop(id, seq)).rejects.toMatchObject({
      code: "forbidden",
    });
    await streamsOf(writer.client).stop(id, seq);
    await writing.end("cancelled");
    await expect(streamsOf(writer.client).stop(id, seq)).rejects.toMatchObject({
      code: "conflict",
    });
  });
});
