/** Contract 1.1, files: pictures are made ready before anybody is served them. */
import { crc32 } from "node:zlib";
import { expect, it } from "vitest";
import type { FileObject } from "../../src/protocol/files.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { eventually } from "../support/eventually.ts";
import type { Person } from "../support/person.ts";
import { familyOf } from "../support/processes.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ workers: 2 });

interface Maker {
  toFormat(format: string, options?: object): Maker;
  keepMetadata(): Maker;
  withExif(exif: object): Maker;
  withXmp(xmp: string): Maker;
  withMetadata(options: object): Maker;
  toBuffer(): Promise<Buffer>;
  metadata(): Promise<Record<string, unknown> & { width: number; height: number }>;
}
const SHARP: string = "sharp";
const { default: sharp } = (await import(SHARP)) as {
  default: (of: unknown, options?: object) => Maker;
};

const GPS = {
  IFD0: { Copyright: "somebody" },
  IFD3: { GPSLatitudeRef: "N", GPSLatitude: "51/1 30/1 3230/100" },
};
const XMP = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="51,30.5N"/></rdf:RDF></x:xmpmeta>`;

const plain = (width: number, height: number, background = "#c04020") =>
  sharp({ create: { width, height, channels: 3, background } });

/** A picture whose metadata says where it was taken. */
const located = (format: string, width = 900, height = 600) =>
  plain(width, height).withExif(GPS).withXmp(XMP).toFormat(format).toBuffer();

async function bytesAt(url: string | undefined) {
  const answer = await fetch(new URL(url ?? "", troupe().url));
  return {
    status: answer.status,
    headers: answer.headers,
    bytes: Buffer.from(await answer.arrayBuffer()),
  };
}

function settled(person: Person, { id }: FileObject): Promise<FileObject> {
  return eventually(
    "the picture is ready or refused",
    async () => {
      const { body } = await person.api.get<FileObject>(`/api/files/${id}`);
      return body.state === "processing" ? undefined : body;
    },
    60_000,
  );
}

function chunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), content]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A PNG that claims to be this large and holds next to nothing. */
function claims(width: number, height: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", head),
    chunk("IDAT", Buffer.from("789c030000000001", "hex")),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

it.each(["jpeg", "png", "webp", "avif", "tiff"])(
  "[IMG1] nothing of what a %s says about its place is served",
  async (format) => {
    const ann = await troupe().user("ann");
    const original = await located(format);
    expect(original.includes("GPSLatitude") || original.includes("somebody")).toBe(true);
    const upload = await ann.uploads(original, `place.${format}`);
    expect(upload).toMatchObject({ state: "processing", kind: "image" });
    // [DWN4] The address is good at once, and waits.
    const early = await bytesAt(upload.url);
    expect(early.status).toBe(200);
    const file = await settled(ann, upload);
    expect(file).toMatchObject({
      state: "ready",
      mime: `image/${format}`,
      width: 900,
      height: 600,
      bytes: early.bytes.length,
    });
    const [whole, thumb] = [await bytesAt(file.url), await bytesAt(file.thumb_url)];
    for (const { bytes } of [early, whole, thumb]) {
      const found = await sharp(bytes).metadata();
      expect([found["exif"], found["xmp"], found["iptc"]]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      for (const trace of ["GPS", "somebody", "adobe:ns"])
        expect(bytes.includes(trace)).toBe(false);
    }
    expect(thumb.headers.get("content-type")).toBe("image/webp");
    expect(thumb.headers.get("content-disposition")).toMatch(/^inline;/);
    const small = await sharp(thumb.bytes).metadata();
    expect([small.width, small.height]).toEqual([640, 427]);
    expect(Buffer.from(file.placeholder ?? "", "base64").length).toBeGreaterThan(10);
  },
);

it("[IMG4] a picture that was taken sideways is served upright", async () => {
  const ann = await troupe().user("ann");
  const sideways = await plain(300, 200)
    .withMetadata({ orientation: 6 })
    .toFormat("jpeg")
    .toBuffer();
  const file = await settled(ann, await ann.uploads(sideways));
  expect([file.width, file.height]).toEqual([200, 300]);
  const found = await sharp((await bytesAt(file.url)).bytes).metadata();
  expect([found.width, found.height, found["orientation"]]).toEqual([200, 300, undefined]);
});

it("[IMG5] an animation goes on moving", async () => {
  const ann = await troupe().user("ann");
  const frames = await Promise.all(
    ["red", "green", "blue"].map((color) => plain(80, 60, color).toFormat("png").toBuffer()),
  );
  for (const format of ["gif", "webp"]) {
    const original = await sharp(frames, { join: { animated: true } })
      .toFormat(format)
      .toBuffer();
    const file = await settled(ann, await ann.uploads(original));
    expect(file).toMatchObject({ state: "ready", width: 80, height: 60 });
    const found = await sharp((await bytesAt(file.url)).bytes).metadata();
    expect(found["pages"]).toBe(3);
  }
});

it("[IMJ1] a message that shows a picture is changed when the picture is ready", async () => {
  const [ann, bob] = await troupe().users("ann", "bob");
  const group = await ann!.startsGroup(bob!);
  const other = await bob!.connects();
  const upload = await ann!.uploads(await located("jpeg", 7000, 6000));
  const sent = await ann!.posts(group.id, "look", [upload]);
  expect(sent.attachments?.[0]?.state).toBe("processing");
  const shows = ({ attachments }: Message) => attachments?.[0]?.state === "ready";
  const message = await eventually("the message shows it ready", async () => {
    const path = `/api/conversations/${group.id}/messages`;
    const { body } = await bob!.api.get<{ items: Message[] }>(path);
    return body.items.find(shows);
  });
  expect(message.rev).toBeGreaterThan(sent.rev);
  expect(message).toMatchObject({ seq: sent.seq, body: "look", edited_at: null });
  const changed = await other.next("message_updated", shows);
  expect(changed.attachments?.[0]).toMatchObject({ id: upload.id, width: 7000, height: 6000 });
  expect((await bytesAt(changed.attachments?.[0]?.thumb_url)).status).toBe(200);
});

it("[IMG2] [IMJ2] what cannot be read, or is too large, is refused, and nobody is served it", async () => {
  const ann = await troupe().user("ann");
  const { workers } = troupe().pids();
  const jpeg = await plain(50, 50).toFormat("jpeg").toBuffer();
  const heic = Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic".padEnd(200, "\0"), "latin1");
  const hostile = {
    "50,000 by 50,000": claims(50_000, 50_000),
    "more than 50 million": claims(10_000, 5_001),
    "no pixels": claims(100, 100),
    "the beginning of a JPEG": jpeg.subarray(0, 100),
    "a script that begins like a GIF": Buffer.from('GIF89a/*\0\x01\0\x01*/=1;alert("x")'),
    "a HEIC": heic,
    "an icon": Buffer.from("\0\0\x01\0\x01\0".padEnd(100, "\0"), "latin1"),
  };
  const uploads = await Promise.all(
    Object.entries(hostile).map(async ([name, bytes]) => ({
      name,
      file: await ann.uploads(bytes, `../${name}\u202e.png`),
    })),
  );
  for (const { name, file } of uploads) {
    const found = await settled(ann, file);
    expect([name, found.state, found.name]).toEqual([name, "refused", `${name}.png`]);
    expect(found).not.toHaveProperty("thumb_url");
    expect([name, (await bytesAt(found.url)).status]).toEqual([name, 404]);
  }
  expect(troupe().pids().workers).toEqual(workers);
});

it("[IMG6] [IMG3] of a picture that is something else besides only the picture is left", async () => {
  const ann = await troupe().user("ann");
  const page = "<html><script>alert(document.cookie)</script></html>";
  const jpeg = await plain(50, 50).toFormat("jpeg").toBuffer();
  const file = await settled(ann, await ann.uploads(Buffer.concat([jpeg, Buffer.from(page)])));
  const { bytes, headers } = await bytesAt(file.url);
  expect([file.state, bytes.includes("script")]).toEqual(["ready", false]);
  expect([headers.get("content-type"), headers.get("x-content-type-options")]).toEqual([
    "image/jpeg",
    "nosniff",
  ]);
  expect(headers.get("content-security-policy")).toContain("sandbox");
});

it("[IMP1] [IMJ3] [IMP2] a process that dies over a picture takes nothing with it, and the picture is tried again", async () => {
  const ann = await troupe().user("ann");
  const { primary, workers } = troupe().pids();
  const decoders = () =>
    familyOf(primary).filter(({ command }) => command.includes("images/process.js"));
  const large = await plain(7_000, 7_000).toFormat("png").toBuffer();
  const killAll = () => {
    for (const { pid } of decoders()) process.kill(pid, "SIGKILL");
  };
  killAll();
  await eventually("no process is idle", () => decoders().length === 0);
  const upload = await ann.uploads(large);
  await eventually("a process decodes it", () => decoders().length > 0);
  killAll();
  const file = await settled(ann, upload);
  expect(file).toMatchObject({ state: "ready", width: 7_000, height: 7_000 });
  expect(troupe().pids().workers).toEqual(workers);
});
