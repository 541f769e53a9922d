/** Contract 1.1, files: uploads that can be resumed, by tus 1.0. */
import { createHash, randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { expect, it } from "vitest";
import type { FileObject } from "../../src/protocol/files.ts";
import { eventually } from "../support/eventually.ts";
import type { Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";
import { breakingLine, uploadWithTus } from "../support/tus.ts";

const MIB = 1024 * 1024;
const BYTES_MAX = 40 * MIB;
const PATH = "/api/files/tus";

const troupe = troupeForFile({
  workers: 2,
  env: {
    FILE_BYTES_MAX: String(BYTES_MAX),
    FILE_QUOTA_BYTES: String(60 * MIB),
    FILE_TYPES: "image/*,text/plain,application/octet-stream",
  },
});

const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const auth = ({ token }: Person) => ({ authorization: `Bearer ${token}` });

async function tus(
  person: Person,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Buffer,
) {
  const answer = await fetch(new URL(path, troupe().url), {
    method,
    headers: { ...auth(person), "tus-resumable": "1.0.0", ...headers },
    ...(body !== undefined && { body: new Uint8Array(body) }),
  });
  const text = await answer.text();
  const code = text === "" ? null : (JSON.parse(text) as { error?: { code: string } }).error?.code;
  return { status: answer.status, headers: answer.headers, code };
}

const base64 = (text: string) => Buffer.from(text).toString("base64");
const PARTS = { "content-type": "application/offset+octet-stream" };

/** The address of an upload of so many bytes. */
async function begins(person: Person, bytes: number, metadata = "filename bm90ZS50eHQ=") {
  const headers = { "upload-length": String(bytes), "upload-metadata": metadata };
  const { status, headers: answered } = await tus(person, "POST", PATH, headers);
  expect(status).toBe(201);
  return answered.get("location") ?? "";
}

const adds = (person: Person, path: string, offset: number, bytes: Buffer) =>
  tus(person, "PATCH", path, { ...PARTS, "upload-offset": String(offset) }, bytes);

const offsetOf = async (person: Person, path: string) =>
  Number((await tus(person, "HEAD", path)).headers.get("upload-offset"));

const idIn = (path: string) => path.slice(path.lastIndexOf("/") + 1);

async function bytesOf(person: Person, id: string): Promise<Buffer> {
  const { body } = await person.api.get<FileObject>(`/api/files/${id}`);
  return Buffer.from(await (await fetch(new URL(body.url, troupe().url))).arrayBuffer());
}

it("[TUS2] [TUS3] a client of tus resumes through cuts and the kill of a worker, and the file is whole", async () => {
  const ann = await troupe().user("ann");
  const bytes = randomBytes(24 * MIB);
  const line = await breakingLine(new URL(troupe().url), 3 * MIB, 6);
  let killed: Promise<number> | null = null;
  try {
    const url = await uploadWithTus(bytes, {
      endpoint: `${line.url}${PATH}`,
      headers: auth(ann),
      metadata: { filename: "../noise\u202e.bin", filetype: "application/octet-stream" },
      retryDelays: Array(40).fill(200),
      onProgress(sent) {
        if (sent > 12 * MIB) killed ??= troupe().killWorker(0);
      },
    });
    expect(line.cuts()).toBe(6);
    expect(killed).not.toBeNull();
    await killed;
    const { body } = await ann.api.get<FileObject>(`/api/files/${idIn(url)}`);
    expect(body).toMatchObject({ name: "noise.bin", bytes: bytes.length, state: "ready" });
    expect(hash(await bytesOf(ann, idIn(url)))).toBe(hash(bytes));
  } finally {
    await line.close();
  }
  await troupe().untilReady();
});

it("[TUS1] what is too large, of a forbidden type or over the quota is refused at creation", async () => {
  const ann = await troupe().user("ann");
  const create = (bytes: string, metadata = "") =>
    tus(ann, "POST", PATH, { "upload-length": bytes, "upload-metadata": metadata });
  const large = await create(String(BYTES_MAX + 1));
  expect([large.status, large.code]).toEqual([413, "payload_too_large"]);
  const video = await create("10", `filetype ${base64("video/mp4")}`);
  expect([video.status, video.code]).toEqual([415, "unsupported_media_type"]);
  for (const wrong of ["", "-1", "ten", "0"]) expect((await create(wrong)).status).toBe(400);
  expect((await create("10", "filename a b")).status).toBe(400);
  await begins(ann, 35 * MIB);
  const over = await create(String(35 * MIB));
  expect([over.status, over.code]).toEqual([409, "quota_exceeded"]);
});

it("[TUS1] a forbidden type is refused by what the bytes are, and nothing is left", async () => {
  const ann = await troupe().user("ann");
  const program = Buffer.concat([Buffer.from("MZ\x90\0", "latin1"), Buffer.alloc(9_000)]);
  const path = await begins(ann, 35 * MIB, `filetype ${base64("text/plain")}`);
  expect((await adds(ann, path, 0, program.subarray(0, 100))).status).toBe(204);
  const second = await adds(ann, path, 100, program.subarray(100));
  expect([second.status, second.code]).toEqual([415, "unsupported_media_type"]);
  expect((await tus(ann, "HEAD", path)).status).toBe(404);
  const small = await begins(ann, 35 * MIB - 1);
  expect(await offsetOf(ann, small)).toBe(0);
  const short = await begins(ann, 10);
  expect((await adds(ann, short, 0, program.subarray(0, 10))).status).toBe(415);
});

it("[TUS4] offsets, versions, methods and what others begun are as tus has them", async () => {
  const [ann, bob] = await troupe().users("ann", "bob");
  const options = await fetch(new URL(PATH, troupe().url), { method: "OPTIONS" });
  expect([options.status, options.headers.get("tus-version")]).toEqual([204, "1.0.0"]);
  expect(options.headers.get("tus-extension")).toBe("creation,creation-with-upload,termination");
  expect(options.headers.get("tus-max-size")).toBe(String(BYTES_MAX));
  const preflight = await fetch(new URL(PATH, troupe().url), {
    method: "OPTIONS",
    headers: { origin: "https://app.example", "access-control-request-method": "POST" },
  });
  expect(preflight.headers.get("access-control-allow-headers")).toContain("upload-offset");
  expect(preflight.headers.get("access-control-expose-headers")).toContain("location");
  const older = await tus(ann!, "POST", PATH, { "tus-resumable": "0.2.2", "upload-length": "4" });
  expect([older.status, older.headers.get("tus-version")]).toEqual([412, "1.0.0"]);

  const path = await begins(ann!, 4);
  expect(path).toMatch(/^\/api\/files\/tus\/\d+$/);
  for (const method of ["HEAD", "PATCH", "DELETE"]) {
    const headers = { ...PARTS, "upload-offset": "0" };
    expect((await tus(bob!, method, path, method === "PATCH" ? headers : {})).status).toBe(404);
  }
  expect((await tus(ann!, "PATCH", path, { "upload-offset": "0" }, Buffer.from("ab"))).status).toBe(
    415,
  );
  expect((await adds(ann!, path, 0, Buffer.from("ab"))).headers.get("upload-offset")).toBe("2");
  const elsewhere = await adds(ann!, path, 0, Buffer.from("ab"));
  expect([elsewhere.status, elsewhere.code]).toEqual([409, "conflict"]);
  expect((await adds(ann!, path, 2, Buffer.from("cdef"))).status).toBe(413);
  const head = await tus(ann!, "HEAD", path);
  expect([head.headers.get("upload-offset"), head.headers.get("upload-length")]).toEqual([
    "2",
    "4",
  ]);
  expect(head.headers.get("cache-control")).toBe("no-store");
  expect((await ann!.api.get(`/api/files/${idIn(path)}`)).status).toBe(404);
  const override = { ...PARTS, "upload-offset": "2", "x-http-method-override": "PATCH" };
  expect((await tus(ann!, "POST", path, override, Buffer.from("cd"))).status).toBe(204);
  expect(await offsetOf(ann!, path)).toBe(4);
  expect((await adds(ann!, path, 4, Buffer.alloc(0))).status).toBe(204);
  expect((await bytesOf(ann!, idIn(path))).toString()).toBe("abcd");
});

it("[TUS6] bytes may come with the creation, and an upload can be taken back at any time", async () => {
  const ann = await troupe().user("ann");
  const headers = { ...PARTS, "upload-length": "5", "upload-metadata": "" };
  const whole = await tus(ann, "POST", PATH, headers, Buffer.from("hello"));
  expect([whole.status, whole.headers.get("upload-offset")]).toEqual([201, "5"]);
  const path = whole.headers.get("location") ?? "";
  expect((await bytesOf(ann, idIn(path))).toString()).toBe("hello");
  expect((await tus(ann, "DELETE", path)).status).toBe(204);
  expect((await ann.api.get(`/api/files/${idIn(path)}`)).status).toBe(404);

  const begun = await begins(ann, 35 * MIB);
  await adds(ann, begun, 0, Buffer.from("some"));
  expect((await tus(ann, "DELETE", begun)).status).toBe(204);
  expect((await adds(ann, begun, 4, Buffer.from("more"))).status).toBe(404);
  // Its part of the quota is free again.
  await begins(ann, 35 * MIB);
});

it("[UPH1] a request that hangs gives way to the one that goes on", async () => {
  const ann = await troupe().user("ann");
  const bytes = randomBytes(1000);
  const path = await begins(ann, bytes.length);
  const hanging = httpRequest(new URL(path, troupe().url), {
    method: "PATCH",
    agent: false,
    headers: {
      ...auth(ann),
      ...PARTS,
      "tus-resumable": "1.0.0",
      "upload-offset": "0",
      "content-length": String(bytes.length),
    },
  });
  const cut = new Promise((resolve) => hanging.on("error", resolve).on("close", resolve));
  hanging.write(bytes.subarray(0, 400));
  await eventually("its bytes are there", async () => (await offsetOf(ann, path)) === 400);
  const goesOn = await adds(ann, path, 400, bytes.subarray(400));
  expect([goesOn.status, goesOn.headers.get("upload-offset")]).toEqual([204, "1000"]);
  await cut;
  expect(hash(await bytesOf(ann, idIn(path)))).toBe(hash(bytes));
});
