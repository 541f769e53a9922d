/** The client's packages that a deployment keeps, on each storage. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADAPTERS, type OpenStorage } from "./adapters.ts";

describe.each(ADAPTERS)("client packages on $name", ({ open }) => {
  let storage: OpenStorage;
  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage.close());

  it("[PKG51] what is kept under a name stays, whoever keeps something else there", async () => {
    const { clientPackages } = storage;
    const first = Buffer.from([0, 1, 2, 255]);
    expect(await clientPackages.find("one-1.0.0.tgz")).toBeNull();
    // As the workers of a host do that start at once.
    const kept = await Promise.all(
      [1, 2, 3].map(() => clientPackages.keep("one-1.0.0.tgz", first)),
    );
    for (const bytes of kept) expect(bytes.equals(first)).toBe(true);
    expect((await clientPackages.keep("one-1.0.0.tgz", Buffer.from("other"))).equals(first)).toBe(
      true,
    );
    expect((await clientPackages.find("one-1.0.0.tgz"))?.equals(first)).toBe(true);
    expect(await clientPackages.find("one-1.0.1.tgz")).toBeNull();
  });
});
