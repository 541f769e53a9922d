/** Contract 1.1, files: uploads, addresses, and messages that show files. */
import { createHash, randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { expect, it } from "vitest";
import type { FileObject } from "../../src/protocol/files.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import type { Post } from "../../src/protocol/social.ts";
import { EventReader } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal } from "../support/expectations.ts";
import type { Answer } from "../support/http.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({
  workers: 2,
  env: {
    FILE_QUOTA_BYTES: "12000000",
    FILE_TYPES:
      "image/*,audio/mpeg,audio/wav,text/plain,text/html,application/pdf,application/octet-stream",
    FILE_URL_TTL_S: "2",
  },
});

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const SOUND = Buffer.from(`ID3${"\0".repeat(100)}`);
const MIB = 1024 * 1024;

async function room(): Promise<{ ann: Person; bob: Person; eve: Person; group: Conversation }> {
  const [ann, bob, eve] = await troupe().users("ann", "bob", "eve");
  return { ann: ann!, bob: bob!, eve: eve!, group: await ann!.startsGroup(bob!) };
}

const post = (person: Person, bytes: Buffer | string, headers: Record<string, string> = {}) =>
  person.api.post<FileObject>("/api/files?name=x", undefined, {
    raw: bytes,
    headers: { "content-type": "application/octet-stream", ...headers },
  });

/** Without saying how many bytes come. */
function chunked(person: Person, bytes: Buffer): Promise<Answer<FileObject>> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${person.token}` };
    const asked = httpRequest(new URL("/api/files?name=x", troupe().url), {
      method: "POST",
      headers,
      agent: false,
    });
    asked.on("error", reject).on("response", (response) => {
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (more: string) => (text += more)).on("error", reject);
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, text, headers, body: JSON.parse(text) as FileObject });
      });
    });
    asked.write(bytes);
    asked.end();
  });
}

/** The raw bytes at an address, without a token. */
function read(url: string, headers: Record<string, string> = {}, method = "GET") {
  return new Promise<{
    status: number;
    bytes: Buffer;
    headers: Record<string, string | string[] | undefined>;
  }>((resolve, reject) => {
    const asked = httpRequest(new URL(url, troupe().url), { method, headers, agent: false });
    asked.on("error", reject).on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
      response.on("end", () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, bytes, headers: response.headers });
      });
    });
    asked.end();
  });
}

/** An uploaded picture, once it is ready. */
async function picture(person: Person, name = "cat.png"): Promise<FileObject> {
  const { id } = await person.uploads(PNG, name);
  return ready(person, id);
}

function ready(person: Person, id: string): Promise<FileObject> {
  return eventually("the picture is ready", async () => {
    const { body } = await person.api.get<FileObject>(`/api/files/${id}`);
    return body.state === "ready" ? body : undefined;
  });
}

const attach = (files: readonly FileObject[]) => files.map(({ id }) => ({ file_id: id }));

it("[FLS1] an upload answers the file as its bytes are, and its address gives them back", async () => {
  const { ann } = await room();
  const file = await ann.uploads(SOUND, '../../Kätzchen "1"\u202e.mp3');
  expect(file).toEqual({
    id: file.id,
    name: 'Kätzchen "1".mp3',
    mime: "audio/mpeg",
    bytes: SOUND.length,
    kind: "audio",
    state: "ready",
    url: expect.stringMatching(/^\/files\//),
    created_at: file.created_at,
  });
  const { status, bytes, headers } = await read(file.url);
  expect([status, bytes]).toEqual([200, SOUND]);
  expect(headers).toMatchObject({
    "content-type": "audio/mpeg",
    "x-content-type-options": "nosniff",
    "accept-ranges": "bytes",
    "content-disposition": `inline; filename="K_tzchen _1_.mp3"; filename*=UTF-8''K%C3%A4tzchen%20%221%22.mp3`,
  });
  expect(headers["cache-control"]).toMatch(/^private, max-age=[1-4]$/);
  const again = await ann.api.get<FileObject>(`/api/files/${file.id}`);
  expect(again.body).toMatchObject({ ...file, url: expect.any(String) });
});

it("[FLS2] ranges, ETag and HEAD are answered as HTTP has them", async () => {
  const { ann } = await room();
  const bytes = randomBytes(300_000);
  const { url } = await ann.uploads(bytes, "noise.bin");
  const whole = await read(url);
  expect(whole.bytes.equals(bytes)).toBe(true);
  const etag = String(whole.headers["etag"]);
  const part = await read(url, { range: "bytes=1000-1999" });
  expect([part.status, part.headers["content-range"]]).toEqual([206, "bytes 1000-1999/300000"]);
  expect(part.bytes.equals(bytes.subarray(1000, 2000))).toBe(true);
  const end = await read(url, { range: "bytes=-5", "if-range": etag });
  expect([end.status, end.bytes.equals(bytes.subarray(-5))]).toEqual([206, true]);
  expect((await read(url, { range: "bytes=0-9", "if-range": '"other"' })).status).toBe(200);
  const beyond = await read(url, { range: "bytes=300000-" });
  expect([beyond.status, beyond.headers["content-range"]]).toEqual([416, "bytes */300000"]);
  const held = await read(url, { "if-none-match": etag });
  expect([held.status, held.bytes.length]).toEqual([304, 0]);
  const head = await read(url, {}, "HEAD");
  expect([head.status, head.headers["content-length"]]).toEqual([200, "300000"]);
});

it("[FLS3] [DWN1] HTML and SVG are saved and cannot run, whatever was claimed", async () => {
  const { ann } = await room();
  const html = await ann.uploads("<!doctype html><script>alert(1)</script>", "cat.png");
  expect(html).toMatchObject({ mime: "text/html", kind: "file" });
  const svg = await post(ann, '<svg xmlns="http://www.w3.org/2000/svg"/>', {
    "content-type": "image/png",
  });
  expect(svg.body).toMatchObject({ mime: "image/svg+xml", kind: "file" });
  for (const { url } of [html, svg.body]) {
    const { headers } = await read(url);
    expect(headers["content-disposition"]).toMatch(/^attachment;/);
    expect(headers["content-security-policy"]).toBe("sandbox");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  }
});

it("[FLS4] [UPL2] [UPL1] what is too large, of a forbidden type, empty or over the quota is refused and leaves nothing", async () => {
  const { ann, bob } = await room();
  expectRefusal(await post(ann, Buffer.alloc(10 * MIB + 1)), "payload_too_large");
  expectRefusal(await chunked(ann, Buffer.alloc(10 * MIB + 1)), "payload_too_large");
  expectRefusal(await post(ann, "x", { "content-type": "video/mp4" }), "unsupported_media_type");
  expectRefusal(await post(ann, Buffer.from("MZ\x90\0\x03\0")), "unsupported_media_type");
  expectRefusal(await post(ann, Buffer.from(`fLaC${"\0".repeat(9000)}`)), "unsupported_media_type");
  expectRefusal(await post(ann, "x", { "content-encoding": "gzip" }), "unsupported_media_type");
  expectRefusal(await post(ann, ""), "invalid_payload");
  expectRefusal(await ann.api.post("/api/files?nam=x", {}), "invalid_payload");
  const bytes = randomBytes(7_000_000);
  const first = expectStatus<FileObject>(await post(ann, bytes), 201);
  const refused = (await post(ann, bytes)) as unknown as Answer;
  expectRefusal(refused, "quota_exceeded");
  expect(refused.status).toBe(409);
  expectRefusal(await chunked(ann, bytes), "quota_exceeded");
  expectStatus(await post(bob, bytes), 201);
  expectStatus<unknown>(await ann.api.delete(`/api/files/${first.id}`), 204);
  expectStatus(await chunked(ann, bytes), 201);
});

it("[FLS13] a client that ends its connection with the answer sees the refusal of a large body", async () => {
  const { ann } = await room();
  const bytes = Buffer.alloc(10 * MIB + 1);
  for (let n = 0; n < 5; n++) expectRefusal(await chunked(ann, bytes), "payload_too_large");
});

it("[FLS12] an upload that is cut ends no worker", async () => {
  const { ann } = await room();
  const { workers } = troupe().pids();
  for (const bytes of [100, 5000]) {
    const asked = httpRequest(new URL("/api/files?name=x", troupe().url), {
      method: "POST",
      headers: { authorization: `Bearer ${ann.token}`, "content-length": "100000" },
      agent: false,
    });
    const cut = new Promise((resolve) => asked.on("error", resolve).on("close", resolve));
    asked.write(Buffer.alloc(bytes), () => setImmediate(() => asked.destroy()));
    await cut;
  }
  expectStatus(await chunked(ann, Buffer.from("after it")), 201);
  expect(troupe().pids().workers).toEqual(workers);
});

it("[FLS5] a message shows its files in answers, events, history, sync and joins", async () => {
  const { ann, bob, group } = await room();
  const [sender, other] = [await ann.connects(), await bob.connects()];
  const files = [await picture(ann, "one.png"), await ann.uploads("text", "two.txt")];
  const { message } = await sender.does("send_message", {
    conversation_id: group.id,
    client_id: "a",
    body: "",
    attachments: attach(files),
  });
  const ids = files.map(({ id }) => id);
  const shown = (of: Message) => of.attachments?.map(({ id }) => id);
  expect([message.body, shown(message)]).toEqual(["", ids]);
  const heard = await other.next("message");
  expect(shown(heard)).toEqual(ids);
  expect((await read(heard.attachments![0]!.url)).headers["content-type"]).toBe("image/png");
  const path = `/api/conversations/${group.id}`;
  const { body: history } = await bob.api.get<{ items: Message[] }>(`${path}/messages`);
  expect(shown(history.items[0]!)).toEqual(ids);
  const joined = await other.does("join_conversation", { conversation_id: group.id });
  expect(shown(joined.messages[0]!)).toEqual(ids);
  const synced = await other.syncs({ [group.id]: 1 }, { complete: false });
  expect(shown(synced.conversations[0]!.messages[0]!)).toEqual(ids);
  const all = JSON.stringify([message, heard, history, joined, synced]);
  expect(all).not.toContain("~file:");
  const { body: plain } = await ann.api.post<Message>(`${path}/messages`, {
    client_id: "b",
    body: '"url": "~file:1:aaaaaaaaaaaaaaaaaaaaaa"',
  });
  expect(plain.body).toContain("~file:1:aaaaaaaaaaaaaaaaaaaaaa");
  expect(plain).not.toHaveProperty("attachments");
});

it("[FLS6] an edit adds and takes away, a message needs something, and only the uploader attaches", async () => {
  const { ann, bob, eve, group } = await room();
  const [own, second] = [await picture(ann), await ann.uploads("two")];
  const [bobs, eves] = [await bob.uploads("bob's"), await eve.uploads("eve's")];
  await bob.posts(group.id, "mine", [bobs]);
  const path = `/api/conversations/${group.id}/messages`;
  const send = (attachments: object[]) =>
    ann.api.post(path, { client_id: ann.nextClientId(), body: "x", attachments });
  expectRefusal(await send(attach([bobs])), "forbidden");
  expectRefusal(await send(attach([own, eves])), "not_found");
  expectRefusal(await send([{ file_id: "999999999" }]), "not_found");
  expectRefusal(await send([{ id: own.id }]), "invalid_payload");
  expectRefusal(await send(Array(11).fill({ file_id: own.id })), "invalid_payload");
  const { seq } = await ann.posts(group.id, "", [own]);
  const edit = (change: object) => ann.api.patch<Message>(`${path}/${seq}`, change);
  const edited = expectStatus(await edit({ attachments: attach([second, own]) }), 200);
  expect(edited.attachments?.map(({ id }) => id)).toEqual([second.id, own.id]);
  expectRefusal((await edit({ attachments: [] })) as unknown as Answer, "invalid_payload");
  expectRefusal((await edit({ attachments: attach([bobs]) })) as unknown as Answer, "forbidden");
  const bare = expectStatus(await edit({ attachments: [], body: "text" }), 200);
  expect(bare).not.toHaveProperty("attachments");
  expectRefusal(await bob.api.get(`/api/files/${own.id}`), "not_found");
  await ann.api.patch(`/api/conversations/${group.id}`, { permissions: { attach: "admin" } });
  const mayNot = await bob.api.post(path, {
    client_id: "n",
    body: "x",
    attachments: attach([bobs]),
  });
  expectRefusal(mayNot, "forbidden");
});

it("[FLS7] who may see a file is who may see a message that shows it, now", async () => {
  const { ann, bob, eve, group } = await room();
  const file = await ann.uploads(PNG);
  const path = `/api/files/${file.id}`;
  expectRefusal(await bob.api.get(path), "not_found");
  const { seq } = await ann.posts(group.id, "look", [file]);
  expectStatus<unknown>(await bob.api.get(path), 200);
  expectRefusal(await eve.api.get(path), "not_found");
  expectRefusal(await bob.api.delete(path), "forbidden");
  await ann.api.delete(`/api/conversations/${group.id}/members/${bob.id}`);
  expectRefusal(await bob.api.get(path), "not_found");
  await ann.api.post(`/api/conversations/${group.id}/members`, { user_ids: [bob.id] });
  expectStatus<unknown>(await bob.api.get(path), 200);
  const { body } = await ann.api.delete<Message>(`/api/conversations/${group.id}/messages/${seq}`);
  expect(body).not.toHaveProperty("attachments");
  expectRefusal(await bob.api.get(path), "not_found");
  expectStatus<unknown>(await ann.api.get(path), 200);
});

it("[FLS8] [FCL1] a deleted file goes from every message that shows it, by a change of each", async () => {
  const { ann, bob, group } = await room();
  const [file, kept] = [await picture(ann), await ann.uploads("kept")];
  const other = await bob.connects();
  const first = await ann.posts(group.id, "one", [file, kept]);
  const second = await ann.posts(group.id, "two", [file]);
  await other.next("message", ({ seq }) => seq === second.seq);
  expectStatus<unknown>(await ann.api.delete(`/api/files/${file.id}`), 204);
  const one = await other.next("message_updated", ({ seq }) => seq === first.seq);
  expect(one.attachments?.map(({ id }) => id)).toEqual([kept.id]);
  expect([one.rev > second.rev, one.edited_at]).toEqual([true, null]);
  const two = await other.next("message_updated", ({ seq }) => seq === second.seq);
  expect(two).not.toHaveProperty("attachments");
  expect((await read(file.url)).status).toBe(404);
  expectRefusal(await ann.api.get(`/api/files/${file.id}`), "not_found");
  expectRefusal(await ann.api.delete(`/api/files/${file.id}`), "not_found");
});

it("[FLS14] a post shows its author's files to all who may see it, in the event log too", async () => {
  const { ann, bob, eve } = await room();
  const log = await EventReader.of(troupe());
  const [file, kept, bobs] = [
    await picture(ann),
    await ann.uploads("kept"),
    await bob.uploads("x"),
  ];
  const attachments = (...files: FileObject[]) => files.map(({ id }) => ({ file_id: id }));
  const publish = (...files: FileObject[]) =>
    ann.api.post<Post>("/api/posts", { body: "look", attachments: attachments(...files) });
  expectRefusal(await ann.api.get(`/api/files/${bobs.id}`), "not_found");
  expectRefusal((await publish(bobs)) as unknown as Answer, "not_found");
  const post = expectStatus(await publish(file, kept, file), 201);
  const shown = (seen: Post) => seen.attachments?.map(({ id }) => id);
  expect(shown(post)).toEqual([file.id, kept.id]);
  for (const { url } of post.attachments!) expect((await read(url)).status).toBe(200);
  await bob.follows(ann);
  const feed = expectStatus(await bob.api.get<{ items: Post[] }>("/api/feed"), 200);
  for (const seen of [await bob.sees(post), feed.items[0]!]) {
    expect(shown(seen)).toEqual([file.id, kept.id]);
    expect((await read(seen.attachments![0]!.url)).status).toBe(200);
  }
  expectStatus<unknown>(await eve.api.get(`/api/files/${kept.id}`), 200);
  const bobsPost = { body: "mine", attachments: attachments(kept) };
  expectRefusal(await bob.api.post("/api/posts", bobsPost), "forbidden");
  expectStatus<unknown>(await ann.api.delete(`/api/files/${file.id}`), 204);
  expect(shown(await bob.sees(post))).toEqual([kept.id]);
  await ann.api.post(`/api/users/${eve.id}/block`);
  expectRefusal(await eve.api.get(`/api/files/${kept.id}`), "not_found");
  const empty = { attachments: [] };
  const edited = expectStatus(await ann.api.patch<Post>(`/api/posts/${post.id}`, empty), 200);
  expect([edited.body, shown(edited)]).toEqual(["look", undefined]);
  expectRefusal(await bob.api.get(`/api/files/${kept.id}`), "not_found");
  const events = (await log.pullsAll()).filter(({ key }) => key === `post:${post.id}`);
  const created = events.find(({ type }) => type === "post.created")?.data as { post: Post };
  expect(shown(created.post)).toEqual([file.id, kept.id]);
  expect(created.post.attachments![1]!.url).toMatch(/^\/files\//);
});

it("[FLS15] a sound has the duration that its header says, here and in messages", async () => {
  const { ann, bob, group } = await room();
  const header = Buffer.alloc(44);
  header.write("RIFF");
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt32LE(8_000, 28);
  header.write("data", 36);
  header.writeUInt32LE(20_000, 40);
  const wav = Buffer.concat([header, Buffer.alloc(20_000)]);
  const file = expectStatus(await post(ann, wav), 201);
  expect(file).toMatchObject({ kind: "audio", duration_ms: 2_500, state: "ready" });
  const sent = await ann.posts(group.id, "listen", [file]);
  expect((await bob.reads(group.id)).at(-1)?.attachments?.[0]).toMatchObject({
    duration_ms: 2_500,
  });
  expect(sent.attachments?.[0]).toMatchObject({ duration_ms: 2_500 });
  expect(expectStatus(await post(ann, SOUND), 201)).not.toHaveProperty("duration_ms");
});

it("[FLS9] a conversation's files are listed newest first, by kind and in pages", async () => {
  const { ann, bob, group } = await room();
  const [a, b, c] = [await ann.uploads(PNG), await ann.uploads("b"), await bob.uploads(PNG)];
  await ann.posts(group.id, "1", [a, b]);
  await bob.posts(group.id, "2", [c]);
  const list = (query: string) =>
    bob.api.get<{ items: (FileObject & { seq: number })[]; next_cursor: string | null }>(
      `/api/conversations/${group.id}/files${query}`,
    );
  const { body } = await list("");
  expect(body.items.map(({ id, seq }) => [id, seq])).toEqual([
    [c.id, 2],
    [b.id, 1],
    [a.id, 1],
  ]);
  const first = await list("?kind=image&limit=1");
  expect(first.body.items.map(({ id }) => id)).toEqual([c.id]);
  const next = await list(`?kind=image&limit=1&cursor=${first.body.next_cursor}`);
  expect([next.body.items.map(({ id }) => id), next.body.next_cursor]).toEqual([[a.id], null]);
  expectRefusal((await list("?cursor=zzz")) as unknown as Answer, "invalid_payload");
  expectRefusal((await list("?kind=cat")) as unknown as Answer, "invalid_payload");
});

it("[FLS10] an address is the same for all, ends after twice its time, and is given anew", async () => {
  const { ann, bob, group } = await room();
  const file = await ann.uploads(PNG);
  await ann.posts(group.id, "look", [file]);
  const read2 = async (of: Person) =>
    (await of.api.get<FileObject>(`/api/files/${file.id}`)).body.url;
  await eventually("both are told the same", async () => (await read2(ann)) === (await read2(bob)));
  const { url } = file;
  await eventually("the address ends", async () => (await read(url)).status === 404);
  expect((await read(await read2(bob))).status).toBe(200);
  expect((await read(url.replace(/.$/, (last) => (last === "A" ? "B" : "A")))).status).toBe(404);
  const path = `/api/conversations/${group.id}/messages`;
  const { body: page } = await bob.api.get<{ items: Message[] }>(path);
  expect((await read(page.items[0]!.attachments![0]!.url)).status).toBe(200);
});

it("[FLS11] [UPL3] a file that was acknowledged is whole after a worker was killed", async () => {
  const { ann } = await room();
  const bytes = randomBytes(3 * MIB);
  const { id } = await ann.uploads(bytes);
  await troupe().killWorker(0);
  await troupe().untilReady();
  const again = await eventually("it is shown", async () => {
    const answer = await ann.api.get<FileObject>(`/api/files/${id}`).catch(() => null);
    return answer?.status === 200 ? answer.body : undefined;
  });
  const back = await read(again.url);
  const hash = (of: Buffer) => createHash("sha256").update(of).digest("hex");
  expect(hash(back.bytes)).toBe(hash(bytes));
});
