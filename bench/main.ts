/**
 * `npm run bench -- [--target URL] [--seconds N] [--connections N]`: HTTP reads of a running
 * Troupe over kept-alive connections, with autocannon: one conversation's history, the list of
 * conversations, one's own account. Start the server with RATE_LIMITS=off, or the limits are
 * what is measured. Prints a table; exits 1 when an answer was not 200.
 */
import { parseArgs } from "node:util";
import autocannon from "autocannon";

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "http://localhost:3000" },
    seconds: { type: "string", default: "5" },
    connections: { type: "string", default: "50" },
  },
});
const target = values.target.replace(/\/$/, "");
const MESSAGES = 100;

async function post<T>(path: string, body: unknown, token = ""): Promise<T> {
  const answer = await fetch(target + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

interface Login {
  user: { id: string };
  access_token: string;
}

const register = (name: string) =>
  post<Login>("/api/auth/register", {
    username: `${name}_${Date.now().toString(36)}`,
    password: "a password of the bench",
  });

const [ann, ben] = [await register("bench_a"), await register("bench_b")];
const token = ann.access_token;
const talk = await post<{ id: string }>("/api/conversations", { member_ids: [ben.user.id] }, token);
const messages = `/api/conversations/${talk.id}/messages`;
for (let n = 1; n <= MESSAGES; n++) {
  await post(messages, { client_id: String(n), body: `Message ${n} of the bench` }, token);
}

const scenarios = {
  history: `${messages}?limit=50`,
  conversations: "/api/conversations",
  me: "/api/me",
};
const rows: Record<string, Record<string, number>> = {};
for (const [name, path] of Object.entries(scenarios)) {
  const run = await autocannon({
    url: target + path,
    connections: Number(values.connections),
    duration: Number(values.seconds),
    headers: { authorization: `Bearer ${token}` },
  });
  rows[name] = {
    "requests/s": Math.round(run.requests.average),
    "p50 ms": run.latency.p50,
    "p99 ms": run.latency.p99,
    "not 200": run.non2xx + run.errors,
  };
  if (run.non2xx + run.errors > 0) process.exitCode = 1;
}
console.table(rows);
