/** Contract 1.1, files: a scanner is asked about each file before it is ready. */
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, expect, it } from "vitest";
import type { FileObject } from "../../src/protocol/files.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal } from "../support/expectations.ts";
import type { Answer } from "../support/http.ts";
import type { Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const SECRET = "a secret of the operator";

interface Question {
  file: FileObject;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

const questions: Question[] = [];
/** What the scanner answers for a name: a status and a body. */
const verdicts = new Map<string, [number, string]>();

const scanner: Server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString("utf8");
    const { file, url } = JSON.parse(body) as Question;
    questions.push({ file, url, headers: request.headers, body });
    const [status, answer] = verdicts.get(file.name) ?? [200, '{"action":"allow"}'];
    verdicts.delete(file.name);
    response.writeHead(status).end(answer);
  });
});
const port = await new Promise<number>((resolve) =>
  scanner.listen(0, "127.0.0.1", () => resolve((scanner.address() as AddressInfo).port)),
);
const troupe = troupeForFile({
  env: { FILE_HOOK_URL: `http://127.0.0.1:${port}/scan`, HOOK_SECRET: SECRET },
});

// Before the server of the file is stopped, which looks for open sockets.
afterAll(() => {
  scanner.closeAllConnections();
  scanner.close();
});

const asked = (file: FileObject) => questions.filter((one) => one.file.id === file.id);

async function bytesAt(url: string) {
  const answer = await fetch(new URL(url, troupe().url));
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

function settled(person: Person, { id }: FileObject): Promise<FileObject> {
  return eventually(
    "the file is ready or refused",
    async () => {
      const { body } = await person.api.get<FileObject>(`/api/files/${id}`);
      return body.state === "processing" ? undefined : body;
    },
    30_000,
  );
}

it("[FSC1] a file is ready when the scanner has allowed it, and its messages say so", async () => {
  const [ann, bob] = await troupe().users("ann", "bob");
  const group = await ann!.startsGroup(bob!);
  const upload = await ann!.uploads("good", "good.txt");
  expect(upload.state).toBe("processing");
  await ann!.posts(group.id, "look", [upload]);
  const file = await settled(ann!, upload);
  expect(file).toMatchObject({ state: "ready", bytes: 4, mime: "text/plain" });
  const [question] = asked(upload);
  expect(question?.file).toMatchObject({ id: upload.id, name: "good.txt", state: "processing" });
  const {
    "webhook-id": id,
    "webhook-timestamp": at,
    "webhook-signature": mark,
  } = question!.headers;
  const mac = createHmac("sha256", SECRET).update(`${id}.${at}.${question!.body}`);
  expect(mark).toBe(`v1,${mac.digest("base64")}`);
  const read = await bytesAt(question!.url);
  expect([read.status, read.text]).toEqual([200, "good"]);
  expect(read.headers.get("content-disposition")).toMatch(/^attachment;/);
  expect((await bytesAt(file.url)).text).toBe("good");
  const shown = async () => {
    const path = `/api/conversations/${group.id}/messages`;
    const { body } = await bob!.api.get<{ items: Message[] }>(path);
    return body.items[0]?.attachments?.[0]?.state === "ready";
  };
  await eventually("the message shows it ready", shown, 30_000);
});

it("[FSC1] a file that the scanner refuses is served to nobody", async () => {
  const ann = await troupe().user("ann");
  verdicts.set("bad.txt", [200, '{"action":"refuse"}']);
  const upload = await ann.uploads("bad", "bad.txt");
  const file = await settled(ann, upload);
  expect(file).toMatchObject({ state: "refused", bytes: 0 });
  for (const url of [upload.url, file.url, asked(upload)[0]!.url]) {
    expect((await bytesAt(url)).status).toBe(404);
  }
  const [bob] = await troupe().users("bob");
  const group = await ann.startsGroup(bob!);
  const sent = await ann.api.post(`/api/conversations/${group.id}/messages`, {
    client_id: "a",
    body: "x",
    attachments: [{ file_id: upload.id }],
  });
  expectRefusal(sent as Answer, "not_found");
});

it.each([
  ["another status", 500, '{"action":"allow"}'],
  ["another word", 200, '{"action":"perhaps"}'],
])("[FSC2] %s is no answer: the scanner is asked again", async (name, status, answer) => {
  const ann = await troupe().user("ann");
  verdicts.set(name, [status, answer]);
  const upload = await ann.uploads("text", name);
  await eventually("it was asked", () => asked(upload).length === 1);
  const { body } = await ann.api.get<FileObject>(`/api/files/${upload.id}`);
  expect(body.state).toBe("processing");
  expect(await settled(ann, upload)).toMatchObject({ state: "ready" });
  expect(asked(upload)).toHaveLength(2);
});
