/** A `sid` that is read from an address opens nothing from another network. */
import { request } from "node:http";
import { expect, test } from "vitest";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ workers: 1 });
const HERE = "127.0.0.1";
const NEIGHBOUR = "127.0.0.77";
const ELSEWHERE = "127.0.1.1";
const PATH = "/socket.io/?EIO=4&transport=polling";

interface Answer {
  status: number;
  body: string;
}

function asks(from: string, path: string, body?: string): Promise<Answer> {
  const { hostname, port } = new URL(troupe().url);
  const method = body === undefined ? "GET" : "POST";
  return new Promise((resolve, reject) => {
    const options = { host: hostname, port, path, method, localAddress: from, agent: false };
    const asked = request(options, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: text }));
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** Whether an upgrade with this `sid` is taken. */
function upgrades(from: string, sid: string): Promise<boolean> {
  const { hostname, port } = new URL(troupe().url);
  return new Promise((resolve) => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dHJvdXBlIHRyb3VwZSB0cg==",
    };
    const path = `/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
    const options = { host: hostname, port, path, localAddress: from, agent: false, headers };
    const asked = request(options, (answer) => {
      answer.resume();
      resolve(false);
    });
    asked.on("upgrade", (_answer, socket) => {
      socket.destroy();
      resolve(true);
    });
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

test("[PBD1] a polling session is its own network's", async () => {
  const [ann] = await troupe().users("ann");
  const opened = await asks(HERE, PATH);
  const { sid } = JSON.parse(opened.body.slice(1)) as { sid: string };
  const own = `${PATH}&sid=${sid}`;

  const foreign = await asks(ELSEWHERE, own);
  expect(foreign).toEqual({ status: 400, body: '{"code":1,"message":"Session ID unknown"}' });
  expect((await asks(ELSEWHERE, own, "40{}")).status).toBe(400);
  expect(await upgrades(ELSEWHERE, sid)).toBe(false);

  const connect = `40${JSON.stringify({ token: ann!.token })}`;
  expect((await asks(NEIGHBOUR, own, connect)).status).toBe(200);
  let heard = "";
  while (!heard.includes('"ready"')) {
    const poll = await asks(HERE, own);
    expect(poll.status).toBe(200);
    heard += poll.body;
  }
  expect(await upgrades(HERE, sid)).toBe(true);
});
