/**
 * `troupe-client/push`: pushes to this browser, as one of its user's devices.
 *
 *   const push = pushOf(client, { worker: "/push-worker.js" });
 *   button.onclick = async () => show(await push.turnOn());
 *
 * What is pushed is shown by a service worker of the page's own origin; the guide on pushes has one.
 */
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import { refusal, TroupeError } from "./error.ts";

export interface PushOptions {
  /** The address of the service worker's script, on the page's own origin. */
  worker: string;
  /** Which pages it serves; default: those below the folder of its script. */
  scope?: string;
  /**
   * This browser's name among the user's devices; default: one that is made up, and kept in
   * localStorage.
   */
  deviceId?: string;
}

/**
 * `unsupported`: this browser has no pushes; `denied`: the user has forbidden them, and only the
 * browser's settings can permit them again.
 */
export type PushState = "unsupported" | "denied" | "off" | "on";

export interface Push {
  /** Rejects with TroupeError where the server is out of reach. */
  state(): Promise<PushState>;
  /**
   * Asks for permission, which browsers allow in answer to a click, subscribes and registers the
   * device; again after each login, since a device ends with its login. Rejects with TroupeError, or
   * with what the browser's push service says.
   */
  turnOn(): Promise<PushState>;
  turnOff(): Promise<PushState>;
  /**
   * From now on takes away what is shown of conversations that were read, here or elsewhere: notices
   * with the tag `c` and the conversation's id. Returns the end.
   */
  closeRead(): () => void;
}

const DEVICE_KEY = "troupe.device";
const WORKER_MAX_MS = 30_000;

export function pushOf(client: Client, options: PushOptions): Push {
  const scope = (): string =>
    options.scope ?? new URL(".", new URL(options.worker, document.baseURI)).href;
  const registered = () => navigator.serviceWorker.getRegistration(scope());

  return {
    async state() {
      if (!canPush()) return "unsupported";
      if (Notification.permission === "denied") return "denied";
      // The browser forgets the permission and the subscription, and the server keeps the device.
      if (Notification.permission !== "granted") return "off";
      const device_id = options.deviceId ?? localStorage.getItem(DEVICE_KEY);
      if (device_id === null) return "off";
      const registration = await registered();
      if ((await registration?.pushManager.getSubscription()) == null) return "off";
      const { items } = await client.api("GET /api/me/devices", {});
      return items.some((one) => one.device_id === device_id) ? "on" : "off";
    },

    async turnOn() {
      if (!canPush()) return "unsupported";
      const permission = await Notification.requestPermission();
      if (permission !== "granted") return permission === "denied" ? "denied" : "off";
      const registration = await navigator.serviceWorker.register(options.worker, {
        scope: scope(),
      });
      await started(registration);
      const { public_key } = await client.api("GET /api/push/key", {});
      const subscription = await subscribed(registration.pushManager, public_key);
      const { endpoint = "", expirationTime = null, keys = {} } = subscription.toJSON();
      const { p256dh = "", auth = "" } = keys;
      await client.api("PUT /api/me/devices/:device_id", {
        device_id: options.deviceId ?? keptDeviceId(),
        provider: "webpush",
        subscription: { endpoint, expirationTime, keys: { p256dh, auth } },
        locale: navigator.language,
        tz: Intl.DateTimeFormat().resolvedOptions().timeZone,
      });
      return "on";
    },

    async turnOff() {
      if (!canPush()) return "unsupported";
      const device_id = options.deviceId ?? keptDeviceId();
      try {
        await client.api("DELETE /api/me/devices/:device_id", { device_id });
      } catch (error) {
        // It is gone already, for instance with its login.
        if (!(error instanceof TroupeError && error.code === "not_found")) throw error;
      }
      const registration = await registered();
      const subscription = await registration?.pushManager.getSubscription();
      await subscription?.unsubscribe();
      return "off";
    },

    closeRead() {
      if (!canPush()) return () => undefined;
      let unread = new Set<string>();
      const look = async (): Promise<void> => {
        const views = client.conversations.get();
        const now = new Set(views.flatMap((one) => (one.unread > 0 ? [one.id] : [])));
        const read = [...unread].filter((id) => !now.has(id));
        unread = now;
        if (read.length === 0) return;
        const registration = await registered();
        for (const id of read) {
          const shown = (await registration?.getNotifications({ tag: `c${id}` })) ?? [];
          for (const notice of shown) notice.close();
        }
      };
      return client.conversations.subscribe(() => {
        look().catch((error: unknown) => console.warn("notifications stay", error));
      });
    },
  };
}

/** Whether this browser has pushes; on iOS only a page that was added to the home screen has. */
export const canPush = (): boolean =>
  "navigator" in globalThis &&
  "serviceWorker" in navigator &&
  "PushManager" in globalThis &&
  "Notification" in globalThis;

function keptDeviceId(): string {
  const known = localStorage.getItem(DEVICE_KEY);
  if (known !== null) return known;
  const fresh = `browser-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  localStorage.setItem(DEVICE_KEY, fresh);
  return fresh;
}

/** A browser takes one key at a time: the server's may be another than when it subscribed. */
async function subscribed(manager: PushManager, key: string): Promise<PushSubscription> {
  const wanted = { userVisibleOnly: true, applicationServerKey: key };
  try {
    return await manager.subscribe(wanted);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "InvalidStateError")) throw error;
    await (await manager.getSubscription())?.unsubscribe();
    return manager.subscribe(wanted);
  }
}

/** Resolves once the worker runs, without which a browser does not subscribe. */
function started({ active, installing, waiting }: ServiceWorkerRegistration): Promise<void> {
  const worker = installing ?? waiting;
  if (active !== null || worker === null) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const end = (finish: () => void): void => {
      stop();
      worker.removeEventListener("statechange", look);
      finish();
    };
    const fail = (): void => {
      const { error } = refusal("The service worker of the pushes does not start");
      end(() => reject(new TroupeError(error)));
    };
    const look = (): void => {
      if (worker.state === "activated") end(resolve);
      if (worker.state === "redundant") fail();
    };
    const stop = systemClock.after(WORKER_MAX_MS, fail);
    worker.addEventListener("statechange", look);
    look();
  });
}
