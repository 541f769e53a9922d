/**
 * Pushes to this browser: asks for permission, subscribes, and registers the subscription as one of
 * the user's devices. What is shown of a conversation goes away when it is read here.
 */
import type { Client } from "../../client/index.ts";
import { SERVER_URL } from "./server-url.ts";

const WORKER = new URL("push-worker.js", SERVER_URL).href;
const DEVICE_KEY = "troupe.device";

export type PushState = "unsupported" | "denied" | "off" | "on";

export const canPush = (): boolean =>
  "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;

/** This browser's own name for itself among the user's devices. */
function deviceId(): string {
  const known = localStorage.getItem(DEVICE_KEY);
  if (known !== null) return known;
  const fresh = `browser-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  localStorage.setItem(DEVICE_KEY, fresh);
  return fresh;
}

export async function pushState(client: Client): Promise<PushState> {
  if (!canPush()) return "unsupported";
  if (Notification.permission === "denied") return "denied";
  // The browser forgets the permission and the subscription, and this server keeps the device.
  if (Notification.permission !== "granted") return "off";
  if (localStorage.getItem(DEVICE_KEY) === null) return "off";
  const registration = await navigator.serviceWorker.getRegistration(SERVER_URL);
  if ((await registration?.pushManager.getSubscription()) == null) return "off";
  const { items } = await client.api("GET /api/me/devices", {});
  return items.some(({ device_id }) => device_id === deviceId()) ? "on" : "off";
}

export async function turnPushOn(client: Client): Promise<PushState> {
  if ((await Notification.requestPermission()) !== "granted") return "denied";
  await navigator.serviceWorker.register(WORKER);
  const { pushManager } = await navigator.serviceWorker.ready;
  const { public_key } = await client.api("GET /api/push/key", {});
  const subscription = await pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: public_key,
  });
  const { endpoint = "", expirationTime = null, keys = {} } = subscription.toJSON();
  const { p256dh = "", auth = "" } = keys;
  await client.api("PUT /api/me/devices/:device_id", {
    device_id: deviceId(),
    provider: "webpush",
    subscription: { endpoint, expirationTime, keys: { p256dh, auth } },
    locale: navigator.language,
    tz: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
  return "on";
}

export async function turnPushOff(client: Client): Promise<PushState> {
  await client.api("DELETE /api/me/devices/:device_id", { device_id: deviceId() });
  const registration = await navigator.serviceWorker.getRegistration(SERVER_URL);
  const subscription = await registration?.pushManager.getSubscription();
  await subscription?.unsubscribe();
  return "off";
}

/** Takes away what is shown of conversations that were read, here or elsewhere. */
export function closeReadNotices(client: Client): () => void {
  if (!canPush()) return () => undefined;
  let unread = new Set<string>();
  const look = async (): Promise<void> => {
    const now = new Set(
      client.conversations.get().flatMap((one) => (one.unread > 0 ? [one.id] : [])),
    );
    const read = [...unread].filter((id) => !now.has(id));
    unread = now;
    if (read.length === 0) return;
    const registration = await navigator.serviceWorker.getRegistration(SERVER_URL);
    for (const id of read) {
      const shown = (await registration?.getNotifications({ tag: `c${id}` })) ?? [];
      for (const notice of shown) notice.close();
    }
  };
  return client.conversations.subscribe(() => {
    look().catch((error: unknown) => console.warn("notifications stay", error));
  });
}
