/** The files of an application in a folder of its own, in versions that a test writes over each other. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../dist/src/cli.js", import.meta.url));

/** Version 2 counts in twos under another name, and has one more action. */
export const TALLY = {
  1: `import { defineActor, Type } from "troupe/actor";
export default defineActor({
  kind: "tally", version: 1, holdsUsers: false,
  state: Type.Object({ n: Type.Integer() }),
  create: { args: Type.Object({}), run: () => ({ n: 0 }) },
  view: (state) => ({ n: state.n, by: 1 }),
  events: { counted: Type.Object({ n: Type.Integer() }) },
  actions: { add: { run(ctx) { ctx.state.n++; ctx.emit("counted", { n: ctx.state.n }); return ctx.state.n; } } },
});
`,
  2: `import { defineActor, Type } from "troupe/actor";
export default defineActor({
  kind: "tally", version: 2, holdsUsers: false,
  state: Type.Object({ count: Type.Integer() }),
  migrate: (state) => ({ count: state.n }),
  create: { args: Type.Object({}), run: () => ({ count: 0 }) },
  view: (state) => ({ n: state.count, by: 2 }),
  events: { counted: Type.Object({ n: Type.Integer() }) },
  actions: {
    add: { run(ctx) { ctx.state.count++; ctx.emit("counted", { n: ctx.state.count }); return ctx.state.count; } },
    version: { run: () => 2 },
  },
});
`,
} as const;

export class AppFolder {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async make(files: Record<string, string>): Promise<AppFolder> {
    const folder = new AppFolder(await mkdtemp(join(tmpdir(), "troupe-app-")));
    await folder.writes(files);
    return folder;
  }

  async writes(files: Record<string, string>): Promise<void> {
    for (const [name, text] of Object.entries(files)) await writeFile(join(this.dir, name), text);
  }

  async removes(name: string): Promise<void> {
    await rm(join(this.dir, name));
  }

  async discard(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** `troupe reload` beside a running server. */
export function reloads(dataDir: string): Promise<{ code: number; output: string }> {
  const env = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/" };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [CLI, "reload"],
      { env: { ...env, DATA_DIR: dataDir } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, output: stdout + stderr });
      },
    );
  });
}
