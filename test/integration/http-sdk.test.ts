/** The addresses under /sdk/ from which an application installs the client. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packageVersion } from "../../src/base/version.ts";
import { createMemoryStorage } from "../../src/storage/memory/ports.ts";
import { type HttpApi, startHttpApi } from "../support/http-api.ts";

const NEWEST = "/sdk/troupe-client.tgz";

describe("the client's package", () => {
  const { clientPackages } = createMemoryStorage();
  const hosts: HttpApi[] = [];
  let webRoot: string;

  beforeEach(async () => {
    webRoot = await mkdtemp(join(tmpdir(), "troupe-web-"));
    await mkdir(join(webRoot, "sdk"));
  });
  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.stop();
    await rm(webRoot, { recursive: true });
  });

  /** A host whose build has made `built`. */
  async function hostWith(built: string, limits: Parameters<typeof startHttpApi>[0] = {}) {
    await writeFile(join(webRoot, "sdk", "troupe-client.tgz"), built);
    await writeFile(join(webRoot, "sdk", "troupe.js"), "export {};");
    const host = await startHttpApi(limits, { webRoot: `${webRoot}/`, clientPackages });
    hosts.push(host);
    return (path: string, init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${host.port}${path}`, { redirect: "manual", ...init });
  }

  it("[PKG50] /sdk/troupe-client.tgz leads to the package of this build, for other origins, too", async () => {
    const ask = await hostWith("of this build");
    const moved = await ask(NEWEST, { headers: { origin: "https://elsewhere.example" } });
    expect(moved.status).toBe(302);
    expect(moved.headers.get("access-control-allow-origin")).toBe("*");
    expect(moved.headers.get("cache-control")).toBe("no-cache");
    const name = `troupe-client-${packageVersion()}.tgz`;
    expect(new URL(moved.headers.get("location")!, "http://h/sdk/x").pathname).toBe(`/sdk/${name}`);
    const found = await ask(`/sdk/${name}`);
    expect(await found.text()).toBe("of this build");
    expect(found.headers.get("cache-control")).toContain("immutable");
    expect(found.headers.get("access-control-allow-origin")).toBe("*");
    const module = await ask("/sdk/troupe.js");
    expect(module.headers.get("content-type")).toContain("text/javascript");
    expect(module.headers.get("access-control-allow-origin")).toBe("*");
  });

  it("[PKG51] an address that names a version keeps its bytes, also where a later build differs", async () => {
    const older = await hostWith("the first");
    const first = (await older(NEWEST)).headers.get("location")!;
    const newer = await hostWith("another build of that version");
    const second = (await newer(NEWEST)).headers.get("location")!;
    expect(second).not.toBe(first);
    // On both hosts, though the build of one of them knows nothing of the other.
    for (const ask of [older, newer]) {
      expect(await (await ask(`/sdk/${first}`)).text()).toBe("the first");
      expect(await (await ask(`/sdk/${second}`)).text()).toBe("another build of that version");
    }
    await clientPackages.keep("troupe-client-0.0.9.tgz", Buffer.from("long ago"));
    expect(await (await newer("/sdk/troupe-client-0.0.9.tgz")).text()).toBe("long ago");
  });

  it("[PKG52] what there is not is 404 with the error object, another method 405", async () => {
    const ask = await hostWith("built");
    for (const path of [
      "/sdk/troupe-client-9.9.9.tgz",
      "/sdk/other.tgz",
      "/sdk/troupe-client-..%2F..%2Fapp.js",
      "/sdk/",
    ]) {
      const answer = await ask(path);
      expect(answer.status, path).toBe(404);
      expect(((await answer.json()) as { error: { code: string } }).error.code).toBe("not_found");
    }
    const wrong = await ask(NEWEST, { method: "POST" });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get("allow")).toContain("GET");
  });
});
