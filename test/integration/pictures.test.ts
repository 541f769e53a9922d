/** Contract 1.1: files of Troupe's own are pictures of users and conversations. */
import { expect, it } from "vitest";
import type { FileObject } from "../../src/protocol/files.ts";
import type { Conversation, User } from "../../src/protocol/schemas.ts";
import type { Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const LASTING = /^\/files\/\d+\/p\.[\w-]{22}$/;

const statusAt = async (address: string | undefined) =>
  (await fetch(new URL(address ?? "", troupe().url))).status;
const sets = (person: Person, body: object) => person.api.patch<User>("/api/me", body);
const seesFile = async (person: Person, { id }: FileObject) =>
  (await person.api.get(`/api/files/${id}`)).status === 200;

it("[PIC1] an own image is one's picture, at a lasting address that anybody may read", async () => {
  const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
  const file = await ann.uploads(PNG, "ann.png");
  expect(await seesFile(bob, file)).toBe(false);
  const { status, body } = await sets(ann, { image_file_id: file.id });
  expect(status).toBe(200);
  expect(body.image_url).toMatch(LASTING);
  expect(await statusAt(body.image_url)).toBe(200);
  expect(await seesFile(bob, file)).toBe(true);
  const shown = await bob.api.get<User>(`/api/users/${ann.id}`);
  expect(shown.body.image_url).toBe(body.image_url);
  // What one has read may be written back.
  expect((await sets(ann, { image_url: body.image_url })).body.image_url).toBe(body.image_url);
  expect((await sets(ann, { image_file_id: null })).body).not.toHaveProperty("image_url");
  expect(await statusAt(body.image_url)).toBe(404);
  expect(await seesFile(bob, file)).toBe(false);
});

it("[PIC1] what is no own image is refused", async () => {
  const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
  const text = await ann.uploads("no picture", "a.txt");
  const others = await bob.uploads(PNG, "bob.png");
  const refused = [
    { image_file_id: text.id },
    { image_file_id: others.id },
    { image_file_id: "999999999" },
    { image_file_id: others.id, image_url: null },
    { image_url: others.url },
    { image_url: `/files/${others.id}/p.AAAAAAAAAAAAAAAAAAAAAA` },
    { image_url: "/somewhere/else.png" },
  ];
  for (const body of refused) {
    expect(await sets(ann, body)).toMatchObject({ body: { error: { code: "invalid_payload" } } });
  }
  const users = await Service.of(troupe(), "users");
  const put = await users.api.put(`/api/users/external/pic-${ann.id}`, { image_url: others.url });
  expect(put).toMatchObject({ body: { error: { code: "invalid_payload" } } });
});

it("[PIC2] a conversation has an own image as its picture, too", async () => {
  const [ann, bob, eve] = (await troupe().users("ann", "bob", "eve")) as [Person, Person, Person];
  const file = await ann.uploads(PNG, "group.png");
  const group = await ann.startsGroup(bob);
  const path = `/api/conversations/${group.id}`;
  const { body } = await ann.api.patch<Conversation>(path, { image_url: file.url });
  expect(body.image_url).toMatch(LASTING);
  expect(await statusAt(body.image_url)).toBe(200);
  expect(await seesFile(eve, file)).toBe(true);
  expect((await ann.api.delete(path)).status).toBe(204);
  expect(await statusAt(body.image_url)).toBe(404);
});

it("[PIC3] a picture whose file is deleted is nobody's any more", async () => {
  const ann = await troupe().user("ann");
  const file = await ann.uploads(PNG, "ann.png");
  const { image_url } = (await sets(ann, { image_file_id: file.id })).body;
  expect((await ann.api.delete(`/api/files/${file.id}`)).status).toBe(204);
  expect((await ann.api.get<User>("/api/me")).body).not.toHaveProperty("image_url");
  expect(await statusAt(image_url)).toBe(404);
});
