import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { checkPort } from "../../src/primary/listen-trouble.ts";

test("[SUP3] a port that is taken is found before anything is started, by its variable", async () => {
  const other = createServer();
  await once(other.listen(0, "127.0.0.1"), "listening");
  const { port } = other.address() as AddressInfo;
  await expect(checkPort(port, "127.0.0.1")).rejects.toThrow(
    `Port ${port} is taken by another program: stop it, or set PORT to a free one.`,
  );
  await expect(checkPort(port, "127.0.0.1", "METRICS_PORT")).rejects.toThrow("set METRICS_PORT");
  other.close();
  await once(other, "close");
  await checkPort(port, "127.0.0.1");
  await checkPort(0, "127.0.0.1");
});
