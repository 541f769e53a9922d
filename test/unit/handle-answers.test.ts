/**
 * [HNA1] An answer to a handle that is not on its way ends no process that hands sockets over.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ignoreSurplusHandleAnswers } from "../../src/primary/handle-answers.ts";

let child: ChildProcess;

beforeEach(() => {
  const script = "process.on('message', (text) => process.send(text))";
  child = spawn(process.execPath, ["-e", script], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
});

afterEach(async () => {
  const ended = once(child, "exit");
  child.kill();
  await ended;
});

test.each(["NODE_HANDLE_ACK", "NODE_HANDLE_NACK"])("[HNA1] %s is ignored", async (cmd) => {
  // Node's own behaviour, for which this stands.
  expect(() => child.emit("internalMessage", { cmd })).toThrow(/bug in Node.js/);
  ignoreSurplusHandleAnswers(child);
  expect(child.emit("internalMessage", { cmd })).toBe(true);
  const answer = once(child, "message");
  child.send("still here");
  expect((await answer)[0]).toBe("still here");
});
