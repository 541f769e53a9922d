/** The system's Chromium for browser tests (CHROMIUM_PATH), or a notice that there is none. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PATH = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";

/** Says so, with what is skipped, where there is none. */
export function hasChromiumFor(what: string): boolean {
  const isThere = existsSync(PATH);
  if (!isThere) console.warn(`${what} skipped: no Chromium at ${PATH}`);
  return isThere;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: PATH,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
