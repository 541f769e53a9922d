/**
 * What the page says about pushes to its browser.
 *
 * [PGP4] They are on only while the browser still permits them and has a subscription.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Client } from "../../src/client/index.ts";

const DEVICE = "browser-1";
let subscription: object | null;

beforeEach(() => {
  subscription = {};
  const stored = new Map([["troupe.device", DEVICE]]);
  vi.stubGlobal("PushManager", class {});
  vi.stubGlobal("location", {
    origin: "http://localhost",
    pathname: "/",
    href: "http://localhost/",
  });
  vi.stubGlobal("document", { baseURI: "http://localhost/", currentScript: null });
  vi.stubGlobal("localStorage", { getItem: (key: string) => stored.get(key) ?? null });
  vi.stubGlobal("navigator", {
    serviceWorker: {
      getRegistration: async () => ({ pushManager: { getSubscription: async () => subscription } }),
    },
  });
  permits("granted");
});
afterEach(() => vi.unstubAllGlobals());

const permits = (permission: string) => vi.stubGlobal("Notification", { permission });

async function state(): Promise<string> {
  const { pushHere } = await import("../../src/web/app/push.ts");
  const api = async () => ({ items: [{ device_id: DEVICE }] });
  return pushHere({ api } as unknown as Client).state();
}

it("[PGP4] a permission that was reset, or a subscription that is gone, is off", async () => {
  expect(await state()).toBe("on");
  permits("default");
  expect(await state()).toBe("off");
  permits("denied");
  expect(await state()).toBe("denied");
  permits("granted");
  subscription = null;
  expect(await state()).toBe("off");
});
