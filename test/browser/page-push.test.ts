/**
 * [PGP] Pushes to the page's browser. Chromium has no push service here: the test subscribes in its
 * place, and hands the service worker what such a service would bring.
 */
import type { CDPSession } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { Device, PushPayload } from "../../src/protocol/push.ts";
import { hasChromiumFor } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { screensForFile } from "../support/screen.ts";
import { troupeForFile } from "../support/suite.ts";

const WITHIN_MS = 20_000;

describe.skipIf(!hasChromiumFor("pushes to the page"))("pushes to the page", () => {
  const troupe = troupeForFile();
  const screens = screensForFile();

  async function signedIn(person: Person) {
    const screen = await screens.open(troupe().url, { permissions: ["notifications"] });
    const { page } = screen;
    await page.addInitScript(() => {
      const subscription = {
        endpoint: "https://1.1.1.1/send/1",
        toJSON: () => ({
          endpoint: "https://1.1.1.1/send/1",
          expirationTime: null,
          keys: {
            p256dh:
              "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
            auth: "A".repeat(22),
          },
        }),
        unsubscribe: () => Promise.resolve(true),
      };
      Object.assign(PushManager.prototype, {
        subscribe: () => Promise.resolve(subscription),
        getSubscription: () => Promise.resolve(subscription),
      });
    });
    await page.reload();
    await screen.signsIn(person);
    return screen;
  }

  const devicesOf = async ({ api }: Person) =>
    expectStatus(await api.get<{ items: Device[] }>("/api/me/devices"), 200).items;

  async function registrationOf(cdp: CDPSession): Promise<string> {
    const found = new Promise<string>((resolve) => {
      cdp.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
        const [first] = registrations;
        if (first !== undefined) resolve(first.registrationId);
      });
    });
    await cdp.send("ServiceWorker.enable");
    return found;
  }

  it("[PGP1] a switch in the settings registers this browser, and takes it back", async () => {
    const [ada] = (await troupe().users("Ada")) as [Person];
    const { page } = await signedIn(ada);
    await page.click(".me");
    await page.click('.push-switch[aria-checked="false"]:not([disabled])');
    await page.waitForSelector('.push-switch[aria-checked="true"]:not([disabled])');
    expect(await devicesOf(ada)).toMatchObject([{ provider: "webpush" }]);
    await page.click(".push-switch");
    await page.waitForSelector('.push-switch[aria-checked="false"]:not([disabled])');
    expect(await devicesOf(ada)).toEqual([]);
  });

  it("[PGP2] what is pushed is shown once a conversation, and a click opens it", async () => {
    const [ada, grace] = (await troupe().users("Ada", "Grace")) as [Person, Person];
    const direct = await ada.startsDirect(grace);
    await grace.posts(direct.id, "see you at eight");
    const { page } = await signedIn(ada);
    await page.click(".me");
    await page.click('.push-switch[aria-checked="false"]:not([disabled])');
    await page.waitForSelector('.push-switch[aria-checked="true"]');
    await page.keyboard.press("Escape");

    const cdp = await page.context().newCDPSession(page);
    const registrationId = await registrationOf(cdp);
    const pushes = (part: Partial<PushPayload>) => {
      const payload = {
        v: 1,
        kind: "message",
        conversation_id: direct.id,
        seq: 1,
        title: "Grace",
        count: 1,
        badge: 1,
        url: `/#/c/${direct.id}`,
        ...part,
      };
      const data = JSON.stringify(payload);
      const { origin } = new URL(troupe().url);
      return cdp.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data });
    };
    const shown = () =>
      page.evaluate(async () => {
        const registration = await navigator.serviceWorker.ready;
        const all = await registration.getNotifications();
        return all.map(({ title, body, tag }) => ({ title, body, tag }));
      });
    await pushes({ body: "first" });
    await pushes({ body: "second", count: 2, badge: 2 });
    const tag = `c${direct.id}`;
    await eventually(
      "the newest is shown",
      async () => (await shown()).some(({ body }) => body === "second"),
      WITHIN_MS,
    );
    expect(await shown()).toEqual([{ title: "Grace", body: "second", tag }]);

    const [worker] = page.context().serviceWorkers();
    await worker!.evaluate(async () => {
      const scope = globalThis as unknown as { registration: ServiceWorkerRegistration };
      const [notification] = await scope.registration.getNotifications();
      const made = Reflect.construct(Reflect.get(globalThis, "NotificationEvent"), [
        "notificationclick",
        { notification },
      ]) as Event;
      globalThis.dispatchEvent(made);
    });
    await page.waitForURL(`**/#/c/${direct.id}`, { timeout: WITHIN_MS });
    await page.waitForSelector("text=see you at eight");
    expect(await shown()).toEqual([]);
  });
});
