/** Which files the sweep takes, on PostgreSQL: it has no twin in memory. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PostId, UserId } from "../../src/protocol/ids.ts";
import { PostgresFiles } from "../../src/storage/postgres/files.ts";
import { Database } from "../../src/storage/postgres/pool.ts";
import { administer } from "../support/postgres.ts";
import { ADAPTERS, codeOf, granted, newGroup, newUsers, type OpenStorage } from "./adapters.ts";

const QUOTA_BYTES = 1_000_000;
const LOOSE_MS = 24 * 3_600_000;

let storage: OpenStorage;
let database: Database;
let files: PostgresFiles;
let ann: UserId;
let bob: UserId;

beforeAll(async () => {
  storage = await ADAPTERS.find(({ name }) => name === "postgres")!.open();
  database = new Database(storage.url!, 2);
  files = new PostgresFiles(database);
  [ann, bob] = (await newUsers(storage, 2)) as [UserId, UserId];
});
afterAll(async () => {
  await database?.close();
  await storage?.close();
});

async function upload(owner: UserId): Promise<string> {
  const id = await files.begin(owner, "a.txt", 10, QUOTA_BYTES);
  const found = { bytes: 10, mime: "text/plain", kind: "file", state: "ready", mark: "m" } as const;
  expect(await files.complete(id!, found, QUOTA_BYTES)).not.toBeNull();
  return id!;
}
const ages = (ids: string[], column: string) =>
  administer(
    storage.url!,
    `UPDATE files SET ${column} = now() - interval '25 hours' WHERE id IN (${ids.join()})`,
  );

it("[FCL4] [FCL2] a file that only a scheduled message names stays until that is taken back", async () => {
  const loose = await upload(ann);
  const named = await upload(ann);
  const namedByAnother = await upload(ann);
  const shownBefore = await upload(ann);
  const room = await newGroup(storage, [ann, bob]);
  const schedule = async (user: UserId, ids: string[]) => {
    const made = await granted(
      storage.scheduled.schedule(user, room, {
        clientId: ids.join(),
        sendAt: new Date(Date.now() + 3_600_000).toISOString(),
        body: "",
        replyToSeq: null,
        content: { attachments: ids.map((file_id) => ({ file_id })) },
      }),
    );
    return made.item.id;
  };
  const item = await schedule(ann, [named, shownBefore]);
  // Only the uploader can attach it, so this holds nothing.
  await schedule(bob, [namedByAnother]);
  await ages([loose, named, namedByAnother], "created_at");
  await ages([shownBefore], "attached_at");
  expect((await files.sweep(LOOSE_MS, 100)).sort()).toEqual([loose, namedByAnother].sort());
  expect(await storage.scheduled.unschedule(ann, item)).toBe(true);
  expect((await files.sweep(LOOSE_MS, 100)).sort()).toEqual(
    [loose, named, namedByAnother, shownBefore].sort(),
  );
});

it("[FCL5] a picture stays as long as it is one", async () => {
  const [mine, former] = [await upload(ann), await upload(ann)];
  const address = (id: string) => `/files/${id}/p.${"A".repeat(22)}`;
  const shows = (id: string) =>
    granted(storage.accounts.changeUser(ann, { image_url: address(id) }));
  await shows(former);
  await shows(mine);
  expect(await files.isPicture(former)).toBe(false);
  expect(await files.isPicture(mine)).toBe(true);
  await ages([mine, former], "created_at");
  await ages([mine, former], "attached_at");
  expect(await files.fileFor(bob, mine)).toMatchObject({ id: mine });
  expect(await files.sweep(LOOSE_MS, 100)).toContain(former);
  expect(await files.sweep(LOOSE_MS, 100)).not.toContain(mine);
});

it("[FCL7] a file that a post shows stays, and goes with its post or by its uploader's hand", async () => {
  const [kept, changed, mine] = [await upload(ann), await upload(ann), await upload(ann)];
  const theirs = await upload(bob);
  const post = await granted(
    storage.posts.create(ann, { body: "x", attachments: [mine, kept, changed] }),
  );
  const id = post.id as PostId;
  expect(post.attachments?.map((file) => file.id)).toEqual([mine, kept, changed]);
  expect(await storage.queries.post(bob, id)).toEqual({ ...post, liked: false });
  expect((await storage.queries.feed(ann, 1, null))?.value().items).toEqual([post]);
  expect(await files.fileFor(bob, kept)).toMatchObject({ id: kept });
  expect(await codeOf(storage.posts.create(bob, { body: "y", attachments: [kept] }))).toBe(
    "forbidden",
  );
  expect(await codeOf(storage.posts.edit(id, ann, { attachments: [theirs] }))).toBe("not_found");
  await granted(storage.posts.edit(id, ann, { attachments: [mine, kept] }));
  await granted(storage.posts.edit(id, ann, { body: "z" }));
  await ages([kept, changed, mine], "created_at");
  await ages([kept, changed, mine], "attached_at");
  expect(await files.fileFor(bob, changed)).toBeNull();
  const swept = await files.sweep(LOOSE_MS, 100);
  expect(swept).toContain(changed);
  expect(swept).not.toContain(kept);
  // The uploader takes one back: no reader sees it from then on.
  expect(await files.remove(mine)).toBe(true);
  const left = await storage.queries.post(bob, id);
  expect(left?.attachments?.map((file) => file.id)).toEqual([kept]);
  await files.forget(mine);
  await granted(storage.graph.block(ann, bob, true));
  expect(await files.fileFor(bob, kept)).toBeNull();
  await granted(storage.graph.block(ann, bob, false));
  await granted(storage.posts.remove(id, ann));
  expect(await files.fileFor(bob, kept)).toBeNull();
  expect(await files.sweep(LOOSE_MS, 100)).toContain(kept);
});
