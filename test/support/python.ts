/** A Python for tests: the first that can import what is wanted. */
import { execFileSync } from "node:child_process";

const LOOK_DEADLINE_MS = 20_000;
const CANDIDATES = [process.env["PYTHON_PATH"], "python3", "/usr/bin/python3"];

/** Null where none of them can; says so, with what was wanted. */
export function pythonWith(modules: readonly string[], forWhat: string): string | null {
  for (const candidate of CANDIDATES) {
    if (candidate !== undefined && canImport(candidate, modules)) return candidate;
  }
  console.warn(`${forWhat} skipped: no Python with ${modules.join(", ")} (PYTHON_PATH)`);
  return null;
}

function canImport(python: string, modules: readonly string[]): boolean {
  try {
    execFileSync(python, ["-c", modules.map((name) => `import ${name}`).join("\n")], {
      stdio: "ignore",
      timeout: LOOK_DEADLINE_MS,
    });
    return true;
  } catch (error) {
    // Not there, or without one of the modules.
    const { status, code } = error as { status?: number | null; code?: string };
    if (code === "ENOENT" || typeof status === "number") return false;
    throw error;
  }
}
