/** Contract 1.1, files: several hosts that share an S3-compatible store. */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { FileObject } from "../../src/protocol/files.ts";
import type { Troupe } from "../support/cluster.ts";
import { ClusterOfHosts } from "../support/cluster-of-hosts.ts";
import { eventually } from "../support/eventually.ts";
import type { Person } from "../support/person.ts";
import { whyNoRedis } from "../support/redis.ts";
import { ObjectStore } from "../support/s3.ts";
import { noSocketsLeft } from "../support/suite.ts";
import { uploadWithTus } from "../support/tus.ts";

const MIB = 1024 * 1024;
const TUS = "/api/files/tus";
const SHARP: string = "sharp";

const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const auth = ({ token }: Person) => ({ authorization: `Bearer ${token}` });

describe.skipIf(whyNoRedis !== null)(`two hosts${whyNoRedis ? `: ${whyNoRedis}` : ""}`, () => {
  let s3: ObjectStore;
  let cluster: ClusterOfHosts;
  let a: Troupe;
  let b: Troupe;

  beforeAll(async () => {
    s3 = await ObjectStore.start();
    cluster = await ClusterOfHosts.start(2, s3.env);
    [a, b] = cluster.hosts as [Troupe, Troupe];
  });
  afterEach((context) => {
    s3.wire.mends();
    if (context.task.result?.state === "fail") console.error(cluster.logTail());
  });
  afterAll(async () => {
    await cluster?.discard();
    await s3?.stop();
    await noSocketsLeft();
  });

  async function uploads(host: Troupe, person: Person, bytes: Buffer, name = "a.bin") {
    const answer = await fetch(new URL(`/api/files?name=${name}`, host.url), {
      method: "POST",
      headers: auth(person),
      body: new Uint8Array(bytes),
    });
    return { status: answer.status, body: (await answer.json()) as FileObject & Refused };
  }
  interface Refused {
    error?: { code: string };
  }

  async function fileOn(host: Troupe, person: Person, id: string): Promise<FileObject> {
    const answer = await fetch(new URL(`/api/files/${id}`, host.url), { headers: auth(person) });
    return (await answer.json()) as FileObject;
  }

  async function bytesAt(host: Troupe, url: string | undefined, range?: string) {
    const answer = await fetch(new URL(url ?? "", host.url), {
      ...(range !== undefined && { headers: { range } }),
    });
    return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
  }

  function settled(host: Troupe, person: Person, id: string): Promise<FileObject> {
    return eventually(
      "the picture is ready or refused",
      async () => {
        const file = await fileOn(host, person, id);
        return file.state === "processing" ? undefined : file;
      },
      60_000,
    );
  }

  async function picture(): Promise<Buffer> {
    const { default: sharp } = (await import(SHARP)) as {
      default: (of: object) => { png(): { toBuffer(): Promise<Buffer> } };
    };
    const create = { width: 900, height: 600, channels: 3, background: "#206040" };
    return sharp({ create }).png().toBuffer();
  }

  async function patch(host: Troupe, person: Person, path: string, at: number, bytes: Buffer) {
    const answer = await fetch(new URL(path, host.url), {
      method: "PATCH",
      headers: {
        ...auth(person),
        "tus-resumable": "1.0.0",
        "content-type": "application/offset+octet-stream",
        "upload-offset": String(at),
      },
      body: new Uint8Array(bytes),
    });
    await answer.arrayBuffer();
    return answer.status;
  }

  async function begins(host: Troupe, person: Person, bytes: number): Promise<string> {
    const answer = await fetch(new URL(TUS, host.url), {
      method: "POST",
      headers: { ...auth(person), "tus-resumable": "1.0.0", "upload-length": String(bytes) },
    });
    return answer.headers.get("location") ?? "";
  }

  async function offsetOn(host: Troupe, person: Person, path: string): Promise<number> {
    const answer = await fetch(new URL(path, host.url), {
      method: "HEAD",
      headers: { ...auth(person), "tus-resumable": "1.0.0" },
    });
    return Number(answer.headers.get("upload-offset"));
  }

  const idIn = (path: string) => path.slice(path.lastIndexOf("/") + 1);

  it("[FSH1] what one host took the other serves, in ranges too, and deletes", async () => {
    const ann = await a.user("ann");
    const bytes = randomBytes(2 * MIB + 3);
    const { status, body } = await uploads(a, ann, bytes);
    expect(status).toBe(201);
    const { url } = await fileOn(b, ann, body.id);
    expect(hash((await bytesAt(b, url)).bytes)).toBe(hash(bytes));
    const part = await bytesAt(b, url, "bytes=7-1006");
    expect([part.status, part.bytes]).toEqual([206, bytes.subarray(7, 1007)]);
    expect(await s3.keys()).toContain(`chat/files/${body.id}`);
    const gone = await fetch(new URL(`/api/files/${body.id}`, b.url), {
      method: "DELETE",
      headers: auth(ann),
    });
    expect(gone.status).toBe(204);
    expect(await s3.keys()).not.toContain(`chat/files/${body.id}`);
    expect((await bytesAt(a, url)).status).toBe(404);
  });

  it("[FSH1] a picture becomes ready, whichever host makes it so, and has a thumbnail", async () => {
    const ann = await a.user("ann");
    const { body } = await uploads(a, ann, await picture(), "a.png");
    const file = await settled(b, ann, body.id);
    expect(file).toMatchObject({ state: "ready", width: 900, height: 600 });
    const thumb = await bytesAt(b, file.thumb_url);
    expect([thumb.status, thumb.bytes.subarray(8, 12).toString()]).toEqual([200, "WEBP"]);
    expect((await bytesAt(a, file.url)).bytes.length).toBe(file.bytes);
  });

  it("[FSH2] [UPH2] parts go to either host, workers are killed, and the file is whole", async () => {
    const ann = await a.user("ann");
    const bytes = randomBytes(21 * MIB + 11);
    const path = await begins(a, ann, bytes.length);
    const ends = [3, 5_000, 3 * MIB, 9 * MIB, 9 * MIB + 7];
    let at = 0;
    for (const [n, end] of ends.entries()) {
      const host = n % 2 === 0 ? a : b;
      expect(await patch(host, ann, path, at, bytes.subarray(at, end))).toBe(204);
      at = end;
    }
    await b.killWorker(0);
    expect(await offsetOn(a, ann, path)).toBe(at);
    await b.untilReady();
    expect(await patch(b, ann, path, at, bytes.subarray(at))).toBe(204);
    const file = await fileOn(a, ann, idIn(path));
    expect(file).toMatchObject({ bytes: bytes.length, state: "ready" });
    expect(hash((await bytesAt(a, file.url)).bytes)).toBe(hash(bytes));
    expect((await s3.keys()).filter((key) => key.includes(`unfinished/${idIn(path)}/`))).toEqual(
      [],
    );
  });

  it("[FSH2] a client of tus sends through the kill of its worker", async () => {
    const ann = await a.user("ann");
    const bytes = randomBytes(30 * MIB);
    let killed: Promise<number> | null = null;
    const url = await uploadWithTus(bytes, {
      endpoint: `${a.url}${TUS}`,
      headers: auth(ann),
      metadata: { filename: "noise.bin" },
      retryDelays: Array(60).fill(250),
      onProgress(sent) {
        if (sent > 14 * MIB) killed ??= a.killWorker(0);
      },
    });
    expect(killed).not.toBeNull();
    await killed;
    await a.untilReady();
    const file = await fileOn(b, ann, idIn(url));
    expect(hash((await bytesAt(b, file.url)).bytes)).toBe(hash(bytes));
  });

  it("[FSH3] while the store is away nothing is taken, and what was taken is there after it", async () => {
    const ann = await a.user("ann");
    const bytes = randomBytes(100_000);
    const { body: kept } = await uploads(a, ann, bytes);
    const path = await begins(a, ann, bytes.length);
    expect(await patch(a, ann, path, 0, bytes.subarray(0, 60_000))).toBe(204);
    s3.wire.cut();
    const refused = await uploads(b, ann, bytes);
    expect([refused.status, refused.body.error?.code]).toEqual([503, "unavailable"]);
    expect(await patch(b, ann, path, 60_000, bytes.subarray(60_000))).toBe(503);
    const { url } = await fileOn(b, ann, kept.id);
    expect((await bytesAt(b, url)).status).toBe(503);
    const { body: dropped } = await uploadsWhile(ann);
    s3.wire.mends();
    expect(hash((await bytesAt(b, url)).bytes)).toBe(hash(bytes));
    expect(await offsetOn(b, ann, path)).toBe(60_000);
    expect(await patch(a, ann, path, 60_000, bytes.subarray(60_000))).toBe(204);
    const whole = await fileOn(b, ann, idIn(path));
    expect(hash((await bytesAt(b, whole.url)).bytes)).toBe(hash(bytes));
    expect(await settled(a, ann, dropped.id)).toMatchObject({ state: "ready" });

    /** A picture that is acknowledged just before the store goes away again. */
    async function uploadsWhile(person: Person) {
      s3.wire.mends();
      const taken = await uploads(a, person, await picture(), "b.png");
      s3.wire.cut();
      expect(taken.status).toBe(201);
      return taken;
    }
  });
});
