import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";

const FOLDER = new URL("../../src/storage/sql/migrations/", import.meta.url);

test("[SCH5] migrations are numbered one after the other, and no number stands twice", async () => {
  const numbers = (await readdir(FOLDER)).sort().map((file) => Number(file.slice(0, 4)));
  expect(numbers).toEqual(numbers.map((_, n) => n + 1));
});
