/** `troupe-client/push` on a browser of the test. */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Client } from "../../src/client/client.ts";
import { TroupeError } from "../../src/client/error.ts";
import { pushOf } from "../../src/client/push.ts";
import { createStore } from "../../src/client/store.ts";

const ENTRY = fileURLToPath(new URL("../../src/client/push.ts", import.meta.url));
const BYTES_MAX = 2_048;
const WORKER = "/chat/worker.js";
const SCOPE = "https://shop.example/chat/";

/** Each call of the browser and of the server, in order. */
let done: string[];
let answer: string;
let refusal: Error | null;
/** Keys of the server with which the browser is subscribed. */
let subscribed: string | null;
let notices: { tag: string; close(): void }[];
let devices: Map<string, object>;
let worker: EventTarget & { state: string };
let isActive: boolean;
const views = createStore<readonly { id: string; unread: number }[]>([], (error) => {
  throw error;
});

async function api(route: string, input: { device_id?: string }): Promise<unknown> {
  done.push(route.replace(":device_id", input.device_id ?? ""));
  if (refusal !== null) throw refusal;
  if (route.startsWith("PUT")) devices.set(input.device_id!, input);
  if (route.startsWith("DELETE")) devices.delete(input.device_id!);
  if (route === "GET /api/push/key") return { public_key: "key-2" };
  return { items: [...devices.keys()].map((device_id) => ({ device_id })) };
}
const client = { api, conversations: views } as unknown as Client;

const subscription = {
  toJSON: () => ({ endpoint: "https://push.example/1", keys: { p256dh: "p", auth: "a" } }),
  async unsubscribe() {
    done.push("unsubscribe");
    subscribed = null;
    return true;
  },
};
const registration = {
  get active() {
    return isActive ? worker : null;
  },
  get installing() {
    return isActive ? null : worker;
  },
  waiting: null,
  getNotifications: async ({ tag }: { tag: string }) => notices.filter((one) => one.tag === tag),
  pushManager: {
    getSubscription: async () => (subscribed === null ? null : subscription),
    async subscribe({ applicationServerKey: key }: { applicationServerKey: string }) {
      done.push(`subscribe ${key}`);
      if (subscribed !== null && subscribed !== key) {
        throw new DOMException("another key", "InvalidStateError");
      }
      subscribed = key;
      return subscription;
    },
  },
};

beforeEach(() => {
  done = [];
  answer = "granted";
  refusal = null;
  subscribed = null;
  notices = [];
  devices = new Map();
  worker = Object.assign(new EventTarget(), { state: "activated" });
  isActive = true;
  const stored = new Map<string, string>();
  vi.stubGlobal("PushManager", class {});
  vi.stubGlobal("document", { baseURI: "https://shop.example/chat/index.html" });
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
  });
  vi.stubGlobal("Notification", {
    permission: "default",
    async requestPermission(this: { permission: string }) {
      done.push("ask");
      this.permission = answer;
      return answer;
    },
  });
  vi.stubGlobal("navigator", {
    language: "nl",
    serviceWorker: {
      getRegistration: async (scope: string) => (scope === SCOPE ? registration : undefined),
      async register(script: string, { scope }: { scope: string }) {
        done.push(`register ${script} ${scope}`);
        return registration;
      },
    },
  });
});
afterEach(() => vi.unstubAllGlobals());

describe("pushOf", () => {
  const push = pushOf(client, { worker: WORKER });
  const named = pushOf(client, { worker: WORKER, deviceId: "till" });

  it("[SDK104] asks for permission, subscribes with the server's key, registers, and the reverse", async () => {
    expect(await named.state()).toBe("off");
    expect(await named.turnOn()).toBe("on");
    expect(done).toEqual([
      "ask",
      `register ${WORKER} ${SCOPE}`,
      "GET /api/push/key",
      "subscribe key-2",
      "PUT /api/me/devices/till",
    ]);
    expect(devices.get("till")).toMatchObject({
      provider: "webpush",
      subscription: { endpoint: "https://push.example/1", keys: { p256dh: "p", auth: "a" } },
      locale: "nl",
    });
    expect(await named.state()).toBe("on");
    // Without a name it has one of its own, and keeps it.
    await push.turnOn();
    await push.turnOn();
    expect(devices.size).toBe(2);
    done.length = 0;
    expect(await named.turnOff()).toBe("off");
    expect(done).toEqual(["DELETE /api/me/devices/till", "unsubscribe"]);
    expect(await named.state()).toBe("off");
    refusal = new TroupeError({ code: "not_found", message: "no such device" });
    expect(await named.turnOff()).toBe("off");
  });

  it("[SDK104] a refused permission asks the server for nothing; a closed question may come again", async () => {
    answer = "denied";
    expect(await push.turnOn()).toBe("denied");
    answer = "default";
    expect(await push.turnOn()).toBe("off");
    expect(done).toEqual(["ask", "ask"]);
    vi.stubGlobal("PushManager", undefined);
    Reflect.deleteProperty(globalThis, "PushManager");
    expect(await push.turnOn()).toBe("unsupported");
    expect(await push.state()).toBe("unsupported");
  });

  it("[SDK104] it subscribes once the worker runs, and anew where the server has another key", async () => {
    isActive = false;
    worker.state = "installing";
    subscribed = "key-1";
    const turning = named.turnOn();
    await vi.waitFor(() => expect(done).toHaveLength(2));
    expect(done.at(-1)).toContain("register");
    worker.state = "activated";
    worker.dispatchEvent(new Event("statechange"));
    expect(await turning).toBe("on");
    expect(done.slice(-4)).toEqual([
      "subscribe key-2",
      "unsubscribe",
      "subscribe key-2",
      "PUT /api/me/devices/till",
    ]);
    worker.state = "redundant";
    await expect(named.turnOn()).rejects.toThrow("does not start");
  });

  it("[SDK105] notices of a conversation go when it is read", async () => {
    const closed: string[] = [];
    notices = ["c7", "c8"].map((tag) => ({ tag, close: () => closed.push(tag) }));
    const unread = (...ids: string[]) => views.set(ids.map((id) => ({ id, unread: 1 })));
    const end = push.closeRead();
    unread("7", "8");
    await vi.waitFor(() => expect(views.get()).toHaveLength(2));
    unread("8");
    await vi.waitFor(() => expect(closed).toEqual(["c7"]));
    end();
    unread();
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toEqual(["c7"]);
  });

  it(`[SDK106] it costs a page at most ${BYTES_MAX} bytes beside the client, minified and gzipped`, async () => {
    const { outputFiles } = await build({
      stdin: { contents: `export { pushOf } from ${JSON.stringify(ENTRY)}`, resolveDir: "." },
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      platform: "browser",
      target: "es2022",
    });
    expect(gzipSync(outputFiles[0]!.contents, { level: 9 }).length).toBeLessThanOrEqual(BYTES_MAX);
  });
});
