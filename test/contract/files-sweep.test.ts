/** Which files the sweep takes, on PostgreSQL: it has no twin in memory. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { UserId } from "../../src/protocol/ids.ts";
import { PostgresFiles } from "../../src/storage/postgres/files.ts";
import { Database } from "../../src/storage/postgres/pool.ts";
import { administer } from "../support/postgres.ts";
import { ADAPTERS, granted, newGroup, newUsers, type OpenStorage } from "./adapters.ts";

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
