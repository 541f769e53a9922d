/**
 * The service worker: shows what is pushed while the page is not looked at, one notification a
 * conversation, and opens the conversation when it is clicked. It knows nothing of logins.
 */
import type { PushPayload } from "../../protocol/push.ts";

interface Extendable {
  waitUntil(work: Promise<unknown>): void;
}
interface Pushed extends Extendable {
  data: { json(): PushPayload } | null;
}
interface Clicked extends Extendable {
  notification: Notification;
}
interface OpenPage {
  readonly url: string;
  focus(): Promise<OpenPage>;
  navigate(url: string): Promise<OpenPage | null>;
}
/** The parts that are used here; TypeScript's own types of it exclude those of a page. */
interface WorkerScope {
  registration: ServiceWorkerRegistration;
  clients: {
    claim(): Promise<void>;
    matchAll(options: { type: "window"; includeUncontrolled: boolean }): Promise<OpenPage[]>;
    openWindow(url: string): Promise<OpenPage | null>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(type: "push", listener: (event: Pushed) => void): void;
  addEventListener(type: "notificationclick", listener: (event: Clicked) => void): void;
}

const scope = globalThis as unknown as WorkerScope;
const ICON = new URL("favicon.svg", scope.registration.scope).href;

scope.addEventListener("install", (event) => event.waitUntil(scope.skipWaiting()));
scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("push", (event) => {
  const payload = event.data?.json();
  if (payload !== undefined) event.waitUntil(show(payload));
});
scope.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(addressOf(event.notification)));
});

async function show(payload: PushPayload): Promise<void> {
  const { title, body = "", url, conversation_id, count, badge } = payload;
  const tag = conversation_id === undefined ? undefined : `c${conversation_id}`;
  await scope.registration.showNotification(title, {
    body,
    icon: ICON,
    data: { url },
    ...(tag !== undefined && { tag }),
  });
  // Everything that is unread is here: what else is shown was read elsewhere.
  if (tag === undefined || badge > count) return;
  for (const shown of await scope.registration.getNotifications()) {
    if (shown.tag !== tag && /^c\d+$/.test(shown.tag)) shown.close();
  }
}

/** The page's own address, below the path under which a proxy publishes it. */
function addressOf({ data }: Notification): string {
  const { url = "/" } = (data ?? {}) as { url?: string };
  const place = url.slice(url.indexOf("#") + 1 || url.length);
  return new URL(place === "" ? "" : `#${place}`, scope.registration.scope).href;
}

async function open(address: string): Promise<void> {
  const pages = await scope.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find(({ url }) => new URL(url).pathname === new URL(address).pathname);
  if (page === undefined) {
    await scope.clients.openWindow(address);
    return;
  }
  // Refused where the browser does not take the click for one of the user.
  await page.focus().catch(() => undefined);
  await page.navigate(address);
}
