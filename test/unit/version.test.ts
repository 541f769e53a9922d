/** The version that the product says it has. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { packageVersion } from "../../src/base/version.ts";

it("[VER1] is the package's, also where the sources run unbuilt", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  expect(JSON.parse(text)).toMatchObject({ version: packageVersion() });
});
