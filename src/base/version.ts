/** This build's version, from the package.json at the root of the package. */
import { readFileSync } from "node:fs";
import { errorCode } from "./errors.ts";

/** The root is two folders up in the sources and three in dist/. */
const ROOTS = ["../../package.json", "../../../package.json"];

export function packageVersion(): string {
  for (const root of ROOTS) {
    try {
      const text = readFileSync(new URL(root, import.meta.url), "utf8");
      return (JSON.parse(text) as { version: string }).version;
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }
  throw new Error("There is no package.json above src/ or dist/.");
}
