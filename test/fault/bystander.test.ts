/**
 * [BYS] What a call costs the server is what it costs its caller's budget: one account that calls
 * every route and sends every event of the contract, each flat out with the largest payload that it
 * takes, ends no process and does not make others wait (promise 7 of the contract).
 *
 * A machine of its own judges to the letter (QUIET=1): the bystander's p99 within 2× of the calm
 * one. Beside other tests the load's own client takes one of the two cores.
 */
import http from "node:http";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { CLIENT_EVENTS, type ClientEventName } from "../../src/protocol/events.ts";
import type { RouteSpec } from "../../src/protocol/route-spec.ts";
import { ROUTES, type RouteName } from "../../src/protocol/routes.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { Api } from "../support/http.ts";
import { type IdsFor, type Keeps, largestOf } from "../support/largest-values.ts";
import type { Person } from "../support/person.ts";
import { promised } from "../support/promised.ts";
import { serviceTokenOf } from "../support/service.ts";
import type { Session } from "../support/session.ts";
import { noSocketsLeft } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const GROUPS = 12;
const GROUP_MEMBERS = 300;
const BATCH = 100;
const CALM_MS = 3_000;
const EACH_MS = 400;
const IN_FLIGHT = 16;
const PROBE_EVERY_MS = 60;
const ANSWER_MS = 3_000;

/** With these the account would put itself out, which is its right and ends the walk. */
const OWN_END: ReadonlySet<string> = new Set(["logout", "setPassword", "changePassword"]);

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

let troupe: Troupe;
let rude: Person;
let probe: Session;
let probeTalk: string;
let idsFor: IdsFor;
let groups: string[];
let postId: string;
const agent = new http.Agent({ keepAlive: true, maxSockets: IN_FLIGHT });

beforeAll(async () => {
  troupe = await startTroupe({ workers: 2, env: { RATE_LIMITS: "on" } });
  const [first, ann, bob] = (await troupe.users("rude", "ann", "bob")) as [Person, Person, Person];
  rude = first;
  const token = await serviceTokenOf(JWT_SECRET, ["users", "act"]);
  const service = new Api(troupe.url, () => token);
  const ids: string[] = [];
  for (let from = 0; from < GROUP_MEMBERS; from += BATCH) {
    const users = Array.from({ length: BATCH }, (_, i) => ({ external_id: `member-${from + i}` }));
    const made = await service.post<{ items: { user: { id: string } }[] }>("/api/users/batch", {
      users,
    });
    ids.push(...made.body.items.map(({ user }) => user.id));
  }
  groups = [];
  for (let i = 0; i < GROUPS; i++) {
    const made = await service.post<{ id: string }>(
      "/api/conversations",
      { kind: "group", title: `group ${i}`, member_ids: ids },
      { headers: { "troupe-act-as": rude.id } },
    );
    expect(made.status).toBe(201);
    groups.push(made.body.id);
  }
  for (let i = 0; i < 5; i++) await rude.posts(groups[0]!, `message ${i}`);
  postId = (await rude.publishes("a post")).id;
  idsFor = (name) =>
    name.startsWith("conversation") ? groups : name.startsWith("post") ? [postId] : ids;
  probeTalk = (await ann.startsDirect(bob)).id;
  probe = await ann.connects();
});

afterAll(async () => {
  agent.destroy();
  await troupe.stop();
  await noSocketsLeft();
});

/** Sends a message every PROBE_EVERY_MS until `over` settles; answers how long each ack took. */
async function probed(over: Promise<unknown>): Promise<number[]> {
  const tookMs: number[] = [];
  const sends: Promise<void>[] = [];
  const timer = setInterval(() => {
    const startedAt = performance.now();
    const sent = probe.sends(probeTalk, "hello").then(() => {
      tookMs.push(performance.now() - startedAt);
    });
    sends.push(sent);
  }, PROBE_EVERY_MS);
  try {
    await over;
  } finally {
    clearInterval(timer);
  }
  await Promise.all(sends);
  return tookMs;
}

const p99 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? 0;

type Call = () => Promise<string>;

/** Calls until the time is up, IN_FLIGHT at once; counts the answers by their code. */
async function flatOut(call: Call): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  const endsAt = performance.now() + EACH_MS;
  async function one(): Promise<void> {
    while (performance.now() < endsAt) {
      const code = await call();
      answers[code] = (answers[code] ?? 0) + 1;
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  return answers;
}

function pathOf(spec: RouteSpec): string {
  return spec.path.replace(/:(\w+)/g, (_, name: string) => {
    if (name === "seq") return "1";
    if (name === "key") return encodeURIComponent("😀");
    const ids = idsFor(name === "id" ? spec.path.split("/")[2]! : name);
    // What is deleted must not be missed by the calls after it.
    return ids.at(spec.method === "DELETE" ? -1 : 0)!;
  });
}

function routeCall(name: RouteName, keeps: Keeps): Call {
  const spec: RouteSpec = ROUTES[name];
  const query = spec.query === undefined ? {} : largestOf(spec.query, idsFor, keeps);
  const limit = (query as { limit?: number }).limit;
  const path = pathOf(spec) + (limit === undefined ? "" : `?limit=${limit}`);
  let count = 0;
  return async () => {
    const body =
      spec.body === undefined ? undefined : largestOf(spec.body, idsFor, keeps, "", count++);
    if (body !== undefined && "client_id" in (body as object)) {
      (body as { client_id: string }).client_id = `${name}-${count}`;
    }
    const { status, body: answer } = await rude.api.request(spec.method, path, body, { agent });
    return (answer as { error?: { code: string } } | null)?.error?.code ?? String(status);
  };
}

/** Sessions that are ended for abuse are part of the bargain; then the account comes again. */
function eventCall(event: ClientEventName, keeps: Keeps): Call {
  const { payload } = CLIENT_EVENTS[event];
  let connecting: Promise<Session> | null = null;
  let count = 0;
  return async () => {
    connecting ??= rude.connects();
    const session = await connecting.catch(() => null);
    if (session === null || !session.isConnected) {
      connecting = null;
      return "ended";
    }
    const body = largestOf(payload, idsFor, keeps, "", count++) as Record<string, unknown>;
    if ("client_id" in body) body["client_id"] = `${event}-${count}`;
    const answer = await session.tries(event, body, ANSWER_MS);
    if (answer === null) return "ended";
    return answer.error?.code ?? "ok";
  };
}

/** What may be left out, from the largest payload on; some keys exclude each other. */
const KEEPS: readonly Keeps[] = [
  () => true,
  (key) => key !== "data" && key !== "title",
  (key) => key === "body",
  () => false,
];

/** The first that the contract takes. */
async function largestCall(make: (keeps: Keeps) => Call): Promise<Call> {
  for (const keeps of KEEPS) {
    const call = make(keeps);
    if ((await call()) !== "invalid_payload") return call;
  }
  return make(() => false);
}

test("[BYS1] every route and event, flat out from one account, leaves others as they were", async () => {
  const { workers } = troupe.pids();
  // Twice: the first warms what the second measures.
  await probed(new Promise((resolve) => setTimeout(resolve, CALM_MS)));
  const calm = await probed(new Promise((resolve) => setTimeout(resolve, CALM_MS)));

  const worst: { what: string; maxMs: number; answers: Record<string, number> }[] = [];
  const loaded: number[] = [];
  async function measure(what: string, make: (keeps: Keeps) => Call): Promise<void> {
    let answers: Record<string, number> = {};
    const took = await probed(
      largestCall(make)
        .then(flatOut)
        .then((counted) => {
          answers = counted;
        }),
    );
    loaded.push(...took);
    worst.push({ what, maxMs: Math.max(0, ...took), answers });
    expect(troupe.pids().workers, `${what} ends no worker`).toEqual(workers);
  }
  for (const name of Object.keys(ROUTES) as RouteName[]) {
    if (OWN_END.has(name)) continue;
    await measure(`${ROUTES[name].method} ${ROUTES[name].path}`, (keeps) => routeCall(name, keeps));
  }
  for (const event of Object.keys(CLIENT_EVENTS) as ClientEventName[]) {
    await measure(event, (keeps) => eventCall(event, keeps));
  }

  worst.sort((a, b) => b.maxMs - a.maxMs);
  const calmP99 = p99(calm);
  const loadedP99 = p99(loaded);
  console.info(
    `bystander: p99 calm ${calmP99.toFixed(1)} ms, loaded ${loadedP99.toFixed(1)} ms; slowest: ` +
      worst
        .slice(0, 6)
        .map(
          ({ what, maxMs, answers }) => `${what} ${maxMs.toFixed(0)} ms ${JSON.stringify(answers)}`,
        )
        .join("; "),
  );
  const refused = worst.filter(({ answers }) => Object.keys(answers).join() === "invalid_payload");
  console.info(`bystander: never a legal payload: ${refused.map(({ what }) => what).join(", ")}`);
  expect((await troupe.http.get("/readyz")).status).toBe(200);
  expect(troupe.errorsLogged()).toEqual([]);
  expect(refused.length, "most payloads were legal").toBeLessThan(worst.length / 5);
  expect(loadedP99).toBeLessThan(promised(Math.max(2 * calmP99, 12), Math.max(10 * calmP99, 400)));
});
