/**
 * The process that decodes pictures: takes one order after the other over IPC from pool.ts and
 * reports. It knows no secret, yields the processor to everybody else, and leaves when its parent is
 * gone or when it takes too much memory.
 */
import { setPriority } from "node:os";
import { type ImageOrder, type ImageReport, loadCodecs, prepareImage } from "./prepare.ts";

const MEMORY_BYTES_MAX = 1024 * 1024 * 1024;
const LOOK_MS = 25;
const NICE = 10;

try {
  setPriority(NICE);
} catch {
  // Not everywhere may a process lower its own priority.
}
setInterval(() => {
  if (process.memoryUsage.rss() > MEMORY_BYTES_MAX) process.exit(1);
}, LOOK_MS);
process.on("disconnect", () => process.exit(0));
process.on("message", (order) => {
  void work(order as ImageOrder).then((report) => process.send?.(report));
});

const loaded = loadCodecs().catch((error: unknown) =>
  error instanceof Error ? error.message : String(error),
);

async function work(order: ImageOrder): Promise<ImageReport> {
  const codecs = await loaded;
  if (typeof codecs === "string") return { is: "missing", why: codecs };
  return prepareImage(codecs, order);
}
