/**
 * [FUZ] Random input to every event, every route and the port itself causes no crash, no hang, no
 * unanswered event, no answer outside of the contract and no leak between users.
 *
 * It runs for seconds by default. `FUZZ_SECONDS=300 FUZZ_SEED=7 npx vitest run … fuzz` runs longer,
 * or repeats a run; fast-check prints the seed and the smallest input that fails.
 */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CLIENT_EVENTS, type ClientEventName } from "../../src/protocol/events.ts";
import type { RouteSpec } from "../../src/protocol/route-spec.ts";
import { ROUTES, type RouteName } from "../../src/protocol/routes.ts";
import { eventually, within } from "../support/eventually.ts";
import { httpBytes, packetText, UPGRADE, webSocketFrames } from "../support/fuzz-bytes.ts";
import { evilText, fuzzOf, textOf } from "../support/fuzz-values.ts";
import { Api } from "../support/http.ts";
import type { Person } from "../support/person.ts";
import { RawConnection, RawWebSocket } from "../support/raw.ts";
import { serviceTokenOf } from "../support/service.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const SECONDS = Number(process.env["FUZZ_SECONDS"] ?? 16);
const SEED = Number(process.env["FUZZ_SEED"] ?? randomBytes(4).readUInt32LE());
const PARTS = 4;
const PART_MS = (SECONDS * 1000) / PARTS;
/** For what is begun when the time is up, and for making a failure smaller. */
const TEST_TIMEOUT_MS = PART_MS + 90_000;
/** How many inputs a part tries at least, and between two looks at the clock. */
const RUNS_MIN = 4;
const ANSWERED_WITHIN_MS = 10_000;
const FRAME_BYTES_MAX = 64 * 1024;
const CALLS_AT_ONCE = 6;
const QUERY_CHARS_MAX = 4000;

const troupe = troupeForFile({ workers: 2 });

let rude: Person;
let ids: string[];
let serviceToken: string;
/** Two who talk of a secret, and one who is in nothing: none of it may reach another. */
let honest: [Session, Session];
let secretTalk: string;
let canary: Session;
let bystanders: [Person, Person, Person];
const secret = `canary ${randomBytes(8).toString("hex")}`;
let workers: number[];

beforeAll(async () => {
  const [first, second, third, ann, bob] = (await troupe().users(
    "rude",
    "rough",
    "rash",
    "ann",
    "bob",
  )) as [Person, Person, Person, Person, Person];
  rude = first;
  const group = await rude.startsGroup(second, third);
  const direct = await rude.startsDirect(second);
  const post = await rude.publishes("a post");
  const others = await second.publishes("another");
  for (const n of [1, 2, 3]) await rude.posts(group.id, `message ${n}`);
  const talk = await ann.startsDirect(bob);
  secretTalk = talk.id;
  await ann.posts(talk.id, secret);
  // Registered after everybody whose id is in the pool, so that no guess adds them to anything.
  bystanders = [ann, bob, await troupe().user("canary")];
  ids = [group.id, direct.id, talk.id, post.id, others.id, rude.id, second.id, third.id];
  serviceToken = await serviceTokenOf(JWT_SECRET, ["notify"]);
  workers = troupe().pids().workers;
  console.info(`fuzz: FUZZ_SEED=${SEED} FUZZ_SECONDS=${SECONDS}`);
});

beforeEach(async () => {
  const [ann, bob, other] = bystanders;
  honest = [await ann.connects(), await bob.connects()];
  canary = await other.connects();
});

/** What holds after every part, whatever was in it. */
async function isUnharmed(): Promise<void> {
  expect(troupe().pids().workers, "no worker was lost").toEqual(workers);
  const [ann, bob] = honest;
  const message = await ann.sends(secretTalk, secret);
  expect(await bob.next("message", ({ seq }) => seq === message.seq)).toEqual(message);
  expect((await troupe().http.get("/readyz")).status).toBe(200);
  const faults = troupe()
    .stderr.split("\n")
    .filter((line) => /"level":"(error|fatal)"/.test(line));
  expect(faults, "nothing went wrong inside").toEqual([]);
  const heard = canary.record.filter(({ kind, name }) => kind === "event" && name !== "ready");
  expect(heard.filter(({ name }) => name !== "token_expiring")).toEqual([]);
}

afterEach(isUnharmed, 60_000);

async function fuzz<T>(
  arbitrary: fc.Arbitrary<T>,
  part: number,
  holds: (input: T) => Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(arbitrary, holds);
  const startedMs = performance.now();
  let runs = 0;
  // A first input that takes longer than the whole part, on a busy machine, is no failure.
  while (runs < RUNS_MIN || performance.now() - startedMs < PART_MS) {
    await fc.assert(property, { seed: (SEED + part + runs * PARTS) | 0, numRuns: RUNS_MIN });
    runs += RUNS_MIN;
  }
  console.info(`fuzz: part ${part}, ${runs} runs`);
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value) ?? "");

interface Emitted {
  event: string;
  args: unknown[];
}

const KNOWN_EVENTS = Object.keys(CLIENT_EVENTS) as ClientEventName[];
const emitted: fc.Arbitrary<Emitted> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.constantFrom(...KNOWN_EVENTS).chain((event) =>
      fc
        .constant(null)
        .chain(() => fuzzOf(CLIENT_EVENTS[event].payload, ids))
        .map((payload) => ({ event, args: [payload] })),
    ),
  },
  { weight: 1, arbitrary: evilText.map((event) => ({ event, args: [{}] })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...KNOWN_EVENTS), fc.array(fc.jsonValue(), { maxLength: 3 }))
      .map(([event, args]) => ({ event, args })),
  },
);

/** Names that the client library keeps for itself. */
const RESERVED = [
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
];

/** Requests over HTTP, as the table of routes has them and next to it. */
interface Called {
  route: RouteName;
  path: string;
  body: string | Buffer | undefined;
  by: "user" | "service" | "nobody";
  headers: Record<string, string>;
}

const ODD_HEADERS: Record<string, string>[] = [
  {},
  {},
  {},
  {},
  { "content-type": "text/plain" },
  { "content-type": "application/json; charset=utf-16" },
  { "content-type": "application/x-www-form-urlencoded" },
  { "content-type": "multipart/form-data; boundary=x" },
  { "content-type": "application/json;;;=" },
  { "content-type": "," },
  { "content-encoding": "gzip" },
  { "content-encoding": "x" },
  { authorization: "Bearer" },
  { authorization: "Bearer a.b.c" },
  { accept: "text/xml" },
  { cookie: "sid=AAAAAAAAAAAAAAAAAAAA" },
  { "if-none-match": "*", range: "bytes=0-" },
  { "transfer-encoding": "chunked" },
];

const ROUTE_NAMES = (Object.keys(ROUTES) as RouteName[]).filter(
  // What these do right would put our own sessions out.
  (name) => name !== "suspendUser" && name !== "restoreUser",
);

function pathOf(spec: RouteSpec): fc.Arbitrary<string> {
  const names = [...spec.path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...ids) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 4 }).map(String) },
    { weight: 1, arbitrary: evilText },
  );
  const query = fc.oneof(
    { weight: 3, arbitrary: fc.constant("") },
    { weight: 3, arbitrary: spec.query ? fuzzOf(spec.query, ids).map(queryText) : fc.constant("") },
    { weight: 1, arbitrary: fc.dictionary(evilText, evilText, { maxKeys: 3 }).map(queryText) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("?", "?&&", "?limit=1&limit=2", "?__proto__[x]=1", "?%"),
    },
  );
  return fc.tuple(fc.tuple(...names.map(() => value)), query).map(([values, text]) => {
    let path = spec.path;
    for (const [i, name] of names.entries()) {
      path = path.replace(`:${name}`, () => escaped(values[i] ?? ""));
    }
    return `${path}${text}`;
  });
}

const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, "\ufffd");
const escaped = (text: string) => encodeURIComponent(wellFormed(text)).slice(0, 4000);

const textIn = (value: unknown) =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "");

function queryText(value: unknown): string {
  if (typeof value !== "object" || value === null) return `?${escaped(textIn(value))}`;
  const pairs = Object.entries(value).map(
    ([name, each]) =>
      `${escaped(name)}=${escaped(Array.isArray(each) ? each.map(textIn).join(",") : textIn(each))}`,
  );
  // Past 16 KiB of head no route is asked: the connection is refused as such.
  return `?${pairs.join("&")}`.slice(0, QUERY_CHARS_MAX);
}

const called: fc.Arbitrary<Called> = fc.constantFrom(...ROUTE_NAMES).chain((route) => {
  const spec: RouteSpec = ROUTES[route];
  const none: fc.Arbitrary<string | Buffer | undefined> = fc.constant(undefined);
  return fc.constant(null).chain(() =>
    fc.record({
      route: fc.constant(route),
      path: pathOf(spec),
      body: spec.body === undefined ? none : fuzzOf(spec.body, ids).chain((value) => textOf(value)),
      by: fc.constantFrom("user", "user", "user", "service", "nobody"),
      headers: fc.constantFrom(...ODD_HEADERS),
    }),
  );
});

describe("fuzz", () => {
  it(
    "[FUZ1] every event is answered as the contract says, and leaks nothing",
    async () => {
      let session = await rude.connects();
      await fuzz(fc.array(emitted, { minLength: 1, maxLength: 8 }), 0, async (events) => {
        if (!session.isConnected) session = await rude.connects();
        const from = session.record.length;
        const sent = events.filter(({ event }) => !RESERVED.includes(event));
        const isTooLarge = sent.some(({ args }) => bytesOf(args) > FRAME_BYTES_MAX - 200);
        const answers = await Promise.all(
          sent.map(({ event, args }) => answerTo(session, event, args)),
        );
        if (isTooLarge) await eventuallyClosed(session);
        else {
          const silent = sent.filter((_, i) => answers[i] === null);
          expect(silent, "unanswered").toEqual([]);
        }
        const heard = JSON.stringify(session.record.slice(from).map(({ payload }) => payload));
        expect(heard).not.toContain(secret);
      });
      await session.disconnects();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    "[FUZ2] every route answers as the contract says, and leaks nothing",
    async () => {
      const tokens = { user: rude.token, service: serviceToken, nobody: null };
      await fuzz(fc.array(called, { minLength: 1, maxLength: CALLS_AT_ONCE }), 1, async (calls) => {
        const answers = await Promise.all(
          calls.map(({ route, path, body, by, headers }) => {
            const api = new Api(troupe().url, () => tokens[by]);
            const raw = body === undefined ? {} : { raw: body };
            return within(
              `an answer to ${ROUTES[route].method} ${path}`,
              api.request(ROUTES[route].method, path, undefined, { ...raw, headers }),
              ANSWERED_WITHIN_MS,
            );
          }),
        );
        for (const [i, { status, text }] of answers.entries()) {
          const what = `${calls[i]?.route} ${calls[i]?.path}: ${text.slice(0, 300)}`;
          expect([500, 503], what).not.toContain(status);
          expect(text, what).not.toContain(secret);
        }
      });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    "[FUZ3] whatever is written to the port is answered or closed",
    async () => {
      await fuzz(fc.array(httpBytes, { minLength: 1, maxLength: 4 }), 2, async (several) => {
        await Promise.all(several.map((bytes) => isClosedAfter(bytes)));
      });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    "[FUZ4] Engine.IO packets and WebSocket frames end in an answer or a close",
    async () => {
      const packets = fc.array(packetText, { minLength: 1, maxLength: 8 });
      await fuzz(
        fc.tuple(packets, webSocketFrames, fc.boolean()),
        3,
        async ([texts, frames, isIn]) => {
          await Promise.all([
            isClosedAfter(Buffer.concat([UPGRADE, frames])),
            isServedOrClosed(texts, isIn),
            pollingTakes(texts),
          ]);
        },
      );
    },
    TEST_TIMEOUT_MS,
  );
});

/** Null where the connection ended first. */
async function answerTo(session: Session, event: string, args: unknown[]): Promise<unknown> {
  let onEnd: () => void = () => undefined;
  const ended = new Promise<null>((resolve) => {
    onEnd = () => resolve(null);
  });
  session.socket.once("disconnect", onEnd);
  try {
    return await Promise.race([session.emits(event, ...args), ended]);
  } finally {
    session.socket.off("disconnect", onEnd);
  }
}

async function eventuallyClosed(session: Session): Promise<void> {
  await eventually("a frame over 64 KiB closes its connection", () => !session.isConnected, 5000);
}

/** The client has said all it had to say, and closes its side. */
async function isClosedAfter(bytes: Buffer): Promise<void> {
  const raw = await RawConnection.to(troupe().port);
  raw.writes(bytes);
  raw.tcp.end();
  try {
    await raw.untilClosed(ANSWERED_WITHIN_MS);
  } finally {
    raw.end();
  }
  expect(raw.received).not.toContain(secret);
  expect(raw.received).not.toMatch(/^HTTP\/1\.1 50[03] /);
}

async function isServedOrClosed(packets: string[], isSignedIn: boolean): Promise<void> {
  const { port } = troupe();
  const raw = isSignedIn
    ? await RawWebSocket.signedIn(port, rude.token)
    : await RawWebSocket.to(port);
  try {
    for (const packet of packets) raw.writes(packet);
    if (!isSignedIn) raw.writes(`40{"token":"${rude.token}"}`);
    raw.writes('42777["set_status",{"status":"online"}]');
    await Promise.race([
      raw.untilClosed(ANSWERED_WITHIN_MS),
      raw.frame((frame) => frame.startsWith("43777["), "the request after it is answered"),
    ]);
    expect(raw.frames.join("\n")).not.toContain(secret);
  } finally {
    raw.end();
  }
}

/** A long-polling session whose packets come in one body. */
async function pollingTakes(packets: string[]): Promise<void> {
  const path = "/socket.io/?EIO=4&transport=polling";
  const { http } = troupe();
  const opened = await http.get<string>(path);
  const sid = /"sid":"([^"]+)"/.exec(opened.text)?.[1];
  expect(sid, opened.text).toBeDefined();
  const body = [`40{"token":"${rude.token}"}`, ...packets].join("\x1e");
  const headers = { "content-type": "text/plain;charset=UTF-8" };
  const posted = await http.post<string>(`${path}&sid=${sid}`, undefined, { raw: body, headers });
  expect([200, 400, 413]).toContain(posted.status);
  const polled = await http.get<string>(`${path}&sid=${sid}`);
  expect([200, 400]).toContain(polled.status);
  expect(polled.text).not.toContain(secret);
  await http.post(`${path}&sid=${sid}`, undefined, { raw: "1", headers });
}
