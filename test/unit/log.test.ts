/** The log: one JSON object a line, and no secret in it. */
import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";

function linesOf(write: (log: ReturnType<typeof createLogger>) => void, level = "info") {
  const lines: string[] = [];
  const to = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  write(createLogger({ level, name: "worker", bindings: { worker: "w1" }, to }));
  return lines;
}

test("[LOG1] a line carries its event, its logger's bindings and the time", () => {
  const [line] = linesOf((log) => log.info({ event: "worker_online", ms: 12 }));
  expect(JSON.parse(line!)).toMatchObject({
    level: "info",
    name: "worker",
    worker: "w1",
    event: "worker_online",
    ms: 12,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  });
});

test("[LOG2] tokens, passwords and secrets are cut out, also inside of objects", () => {
  const [line] = linesOf((log) =>
    log.warn({
      event: "x",
      token: "hunter2",
      body: { password: "hunter2", refresh_token: "hunter2" },
      request: { headers: { authorization: "Bearer hunter2", cookie: "hunter2" } },
      config: { jwtSecret: "hunter2", databaseUrl: "postgres://u:hunter2@h/d" },
    }),
  );
  expect(line).not.toContain("hunter2");
  expect(line).toContain("[secret]");
});

test("[LOG3] silent is silent", () => {
  expect(linesOf((log) => log.fatal({ event: "x" }), "silent")).toEqual([]);
});
