/** [DEV] Devices: who may register them, how long they stay, and the settings of pushes. */
import { describe, expect, it } from "vitest";
import type { Job } from "../../src/protocol/job-routes.ts";
import type { Device, PushSettings } from "../../src/protocol/push.ts";
import { rowsOf } from "../support/dump.ts";
import { eventually } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import type { Answer, Api } from "../support/http.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";
import { linesIn, unzipped } from "../support/zip.ts";

async function devicesOf(api: Api): Promise<string[]> {
  const { items } = expectStatus(await api.get<{ items: Device[] }>("/api/me/devices"), 200);
  return items.map(({ device_id }) => device_id);
}

const put = (api: Api, id: string, token: string) =>
  api.put<Device>(`/api/me/devices/${id}`, { provider: "fcm", token });

const NO_POINT = "B".repeat(87);
const KEYS = {
  p256dh: "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
  auth: "A".repeat(22),
};

describe("a browser's keys", () => {
  const troupe = troupeForFile({ shared: true });

  it("[DEV9] have to be a point of the curve where Troupe itself encrypts", async () => {
    const [ann] = (await troupe().users("ann")) as [Person];
    const endpoint = "https://1.1.1.1/send/1";
    const puts = (keys: object) =>
      ann.api.put("/api/me/devices/browser", {
        provider: "webpush",
        subscription: { endpoint, keys },
      });
    const refused = expectStatus(await puts({ ...KEYS, p256dh: NO_POINT }), 400);
    expect(refused.error).toMatchObject({
      code: "invalid_payload",
      message: expect.stringContaining("subscription.keys.p256dh"),
    });
    for (const auth of ["A".repeat(21), "A".repeat(43), "="]) {
      expectStatus(await puts({ ...KEYS, auth }), 400);
    }
    expectStatus<unknown>(await puts(KEYS), 200);
  });
});

describe("devices", () => {
  // Everything would go to a gateway that is not there.
  const troupe = troupeForFile({ env: { PUSH_URL: "http://127.0.0.1:9/", RATE_LIMITS: "off" } });

  it("[DEV1] a device is registered, changed, listed and removed by its owner alone", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const asked = { provider: "apns", token: "a1", locale: "de-AT", tz: "Europe/Vienna" };
    const made = expectStatus(await ann.api.put<Device>("/api/me/devices/phone", asked), 200);
    expect(made).toMatchObject({ device_id: "phone", provider: "apns", tz: "Europe/Vienna" });
    expectStatus(await put(ann.api, "phone", "a2"), 200);
    expect(await devicesOf(ann.api)).toEqual(["phone"]);
    expectStatus(await bob.api.delete("/api/me/devices/phone"), 404);
    expectStatus<unknown>(await ann.api.delete("/api/me/devices/phone"), 204);
    expectStatus(await ann.api.delete("/api/me/devices/phone"), 404);
    expect(await devicesOf(ann.api)).toEqual([]);
  });

  it.each([
    ["no token", { provider: "fcm" }],
    ["no subscription", { provider: "webpush", token: "t" }],
    ["a provider that is none", { provider: "sms", token: "t" }],
    ["a zone that is none", { provider: "fcm", token: "t", tz: "Europe/Atlantis" }],
    ["a locale that is none", { provider: "fcm", token: "t", locale: "!" }],
    [
      "http",
      { provider: "webpush", subscription: { endpoint: "http://example.com/", keys: KEYS } },
    ],
    [
      "an address of this machine",
      { provider: "webpush", subscription: { endpoint: "https://127.0.0.1/x", keys: KEYS } },
    ],
    [
      "the metadata address of a cloud",
      { provider: "webpush", subscription: { endpoint: "https://169.254.169.254/", keys: KEYS } },
    ],
  ])("[DEV2] %s is refused", async (_what, body) => {
    const [ann] = (await troupe().users("ann")) as [Person];
    const answer = expectStatus(await ann.api.put("/api/me/devices/phone", body), 400);
    expect(answer.error.code).toBe("invalid_payload");
    expect(await devicesOf(ann.api)).toEqual([]);
  });

  it("[DEV3] there are at most 25, and a token that is seen for another user moves there", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    for (const n of upTo(25)) expectStatus(await put(ann.api, `d${n}`, `${ann.id}-${n}`), 200);
    const full = expectStatus(
      await ann.api.put("/api/me/devices/more", { provider: "fcm", token: "x" }),
      409,
    );
    expect(full.error.code).toBe("conflict");
    expectStatus(await put(ann.api, "d3", `${ann.id}-again`), 200);
    expectStatus(await put(bob.api, "mine", `${ann.id}-7`), 200);
    expect(await devicesOf(bob.api)).toEqual(["mine"]);
    expect(await devicesOf(ann.api)).not.toContain("d7");
    expectStatus(await put(ann.api, "more", `${ann.id}-more`), 200);
  });

  it("[DEV4] a device ends with the login that registered it, and with all tokens of its user", async () => {
    const [ann] = (await troupe().users("ann")) as [Person];
    const phone = await ann.signsInAgain();
    expectStatus(await put(ann.api, "browser", `${ann.id}-b`), 200);
    expectStatus(await put(phone.api, "phone", `${ann.id}-p`), 200);
    const { refresh_token } = phone.login;
    expectStatus<unknown>(await troupe().http.post("/api/auth/logout", { refresh_token }), 204);
    expect(await devicesOf(ann.api)).toEqual(["browser"]);

    const service = await Service.of(troupe(), "users");
    const minted = expectStatus(
      await service.api.post<{ access_token: string }>(`/api/users/${ann.id}/tokens`, {}),
      201,
    );
    const headers = { authorization: `Bearer ${minted.access_token}` };
    const body = { provider: "fcm", token: `${ann.id}-m` };
    expectStatus<unknown>(await ann.api.put("/api/me/devices/minted", body, { headers }), 200);
    expect(await devicesOf(ann.api)).toEqual(["browser", "minted"]);
    expectStatus<unknown>(await service.api.post(`/api/users/${ann.id}/revoke`), 204);
    const again = await ann.signsInAgain();
    expect(await devicesOf(again.api)).toEqual([]);
  });

  it("[DEV5] a service that acts for a user has nothing to do with devices", async () => {
    const [ann] = (await troupe().users("ann")) as [Person];
    const { api } = await Service.of(troupe(), "act");
    const headers = { "Troupe-Act-As": ann.id };
    const body = { provider: "fcm", token: "t" };
    for (const answer of [
      await api.put("/api/me/devices/phone", body, { headers }),
      await api.get("/api/me/devices", { headers }),
      await api.delete("/api/me/devices/phone", undefined, { headers }),
    ]) {
      expect(expectStatus(answer, 403).error.code).toBe("forbidden");
    }
  });

  it("[DEV6] settings are changed one by one, and the deployment's content holds until one is chosen", async () => {
    const [ann] = (await troupe().users("ann")) as [Person];
    const changed = async (patch: object) =>
      expectStatus(await ann.api.patch<PushSettings>("/api/me/push", patch), 200);
    const none = { level: null, snoozed_until: null, quiet_hours: null, content: "sender" };
    expect(expectStatus(await ann.api.get<PushSettings>("/api/me/push"), 200)).toEqual(none);
    const quiet_hours = { from: "22:00", to: "07:00", tz: "Europe/Berlin" };
    expect(await changed({ quiet_hours, level: "mentions" })).toEqual({
      ...none,
      quiet_hours,
      level: "mentions",
    });
    expect(await changed({ content: "full", quiet_hours: null })).toEqual({
      ...none,
      level: "mentions",
      content: "full",
    });
    const bad = { quiet_hours: { from: "24:00", to: "07:00", tz: "UTC" } };
    expectStatus(await ann.api.patch("/api/me/push", bad), 400);
  });

  it("[DEV7] the key is one for all workers", async () => {
    const [ann] = (await troupe().users("ann")) as [Person];
    const key = async () =>
      expectStatus(await ann.api.get<{ public_key: string }>("/api/push/key"), 200).public_key;
    const first = await key();
    expect(Buffer.from(first, "base64url")).toHaveLength(65);
    for (const _ of upTo(4)) expect(await key()).toBe(first);
  });

  it("[DEV8] an export names devices and settings, and an erasure takes them away", async () => {
    const [ann] = (await troupe().users("ann")) as [Person];
    expectStatus(await put(ann.api, "phone", `${ann.id}-p`), 200);
    expectStatus<unknown>(await ann.api.patch("/api/me/push", { level: "none" }), 200);
    const job = async (answer: Answer<{ job_id: string }>) => {
      const { job_id } = expectStatus(answer, 202);
      return eventually(`job ${job_id} is done`, async () => {
        const found = expectStatus(await ann.api.get<Job>(`/api/jobs/${job_id}`), 200);
        return found.state === "done" ? found : false;
      });
    };
    const { result } = await job(await ann.api.post("/api/exports", {}));
    const { url } = result as { url: string };
    const answer = await fetch(new URL(url, troupe().url), {
      headers: { authorization: `Bearer ${ann.token}` },
    });
    const lines = linesIn(unzipped(Buffer.from(await answer.arrayBuffer())).get("data.jsonl")!);
    expect(lines).toContainEqual(
      expect.objectContaining({ type: "device", device_id: "phone", address: `${ann.id}-p` }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ type: "push", level: "none" }));

    const { api } = await Service.of(troupe(), "users");
    const erased = await api.delete<{ job_id: string }>(`/api/users/${ann.id}?messages=keep`);
    const { job_id } = expectStatus(erased, 202);
    await eventually("ann is erased", async () => {
      const found = expectStatus(await api.get<Job>(`/api/jobs/${job_id}`), 200);
      return found.state === "done";
    });
    const rows = await rowsOf(troupe().databaseUrl!);
    const left = rows.filter((row) => row.includes(`${ann.id}-p`));
    expect(left).toEqual([]);
  });
});
