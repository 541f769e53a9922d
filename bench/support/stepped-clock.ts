/**
 * Loaded into every process and thread of a server before its own code (`node --import`), so
 * that a test can set the server's wall clock without touching the machine's: `Date` is ahead of
 * the real clock by the milliseconds in a file. Monotonic clocks and timers stay as they are.
 */
import { readFileSync, writeFileSync } from "node:fs";

const FILE_VARIABLE = "TROUPE_TEST_CLOCK_FILE";
/** How often the file is read at most. */
const LOOK_EVERY_MS = 20;

/** The variables under which a server follows `file`. `module`: this one, as built. */
export function steppedClockEnv(file: string, module = import.meta.url): Record<string, string> {
  setStep(file, 0);
  return { NODE_OPTIONS: `--import ${module}`, [FILE_VARIABLE]: file };
}

/** From now on the wall clock is ahead of the real one by `ms`; negative: behind it. */
export function setStep(file: string, ms: number): void {
  writeFileSync(file, String(ms));
}

/** Null while it is being written, and in a process that may open no more files. */
function readStep(file: string): number | null {
  try {
    const text = readFileSync(file, "utf8");
    return text === "" ? null : Number(text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EMFILE") return null;
    throw error;
  }
}

function follow(file: string): void {
  const RealDate = Date;
  let stepMs = 0;
  let lookedMs = Number.NEGATIVE_INFINITY;

  const wallMs = (): number => {
    if (performance.now() - lookedMs >= LOOK_EVERY_MS) {
      lookedMs = performance.now();
      stepMs = readStep(file) ?? stepMs;
    }
    return RealDate.now() + stepMs;
  };

  globalThis.Date = new Proxy(RealDate, {
    apply: () => new RealDate(wallMs()).toString(),
    construct: (target, args: unknown[], newTarget) =>
      Reflect.construct(target, args.length === 0 ? [wallMs()] : args, newTarget),
    get: (target, name, receiver) =>
      name === "now" ? wallMs : Reflect.get(target, name, receiver),
  });
}

const file = process.env[FILE_VARIABLE];
if (file !== undefined) follow(file);
