/** Socket.IO namespaces of the application's own, over the workers of a host. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Manager, type Socket } from "socket.io-client";
import { afterEach, describe, expect, it } from "vitest";
import type { ErrorObject } from "../../src/protocol/errors.ts";
import { startTroupe } from "../support/cluster.ts";
import { eventually, within } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { Api } from "../support/http.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { serviceTokenOf } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const ACTORS_DIR = fileURLToPath(new URL("../support/fixtures/namespaces", import.meta.url));
const WORKERS = 2;
const troupe = troupeForFile({
  workers: WORKERS,
  env: { ACTORS_DIR, RATE_LIMITS: "on", RATE_LIMIT_NAMESPACE: "50/s burst 100" },
});

type Transports = ("websocket" | "polling")[];

const managers: Manager[] = [];

afterEach(() => {
  for (const manager of managers.splice(0)) manager._close();
});

function managerFor(transports: Transports = ["websocket"]): Manager {
  const manager = new Manager(troupe().url, { transports, reconnection: false, forceNew: true });
  managers.push(manager);
  return manager;
}

const refusedWith = (socket: Socket): Promise<ErrorObject> =>
  within(
    "the connection is refused",
    new Promise((resolve) => {
      socket.once("connect_error", (error: Error & { data?: ErrorObject }) =>
        resolve(error.data as ErrorObject),
      );
    }),
  );

/** A socket in `/game`, or another namespace, that is connected. */
async function enters(
  person: Pick<Person, "token">,
  { manager = managerFor(), namespace = "/game", auth = {} } = {},
): Promise<Socket> {
  const socket = manager.socket(namespace, { auth: { token: person.token, ...auth } });
  await within(
    `${namespace} is entered`,
    new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("connect_error", reject);
    }),
  );
  return socket;
}

const next = <T>(socket: Socket, event: string): Promise<T> =>
  within(
    `"${event}" comes`,
    new Promise((resolve) => socket.once(event, (...args: unknown[]) => resolve(args as T))),
  );
const asks = <T>(socket: Socket, event: string, ...args: unknown[]): Promise<T> =>
  within(`"${event}" is answered`, socket.emitWithAck(event, ...args));

describe.each([["websocket"], ["polling"]] as Transports[])("over %s", (transport) => {
  it(`[NSP1] a token lets its user in, with id and username (${transport})`, async () => {
    const [ann] = await troupe().users("ann");
    const socket = await enters(ann!, { manager: managerFor([transport]) });
    expect(await asks(socket, "who")).toEqual({
      id: ann!.id,
      username: ann!.user.username,
      label: "helped",
    });
    const refused = managerFor([transport]).socket("/game", { auth: { token: "nonsense" } });
    expect(await refusedWith(refused)).toMatchObject({ code: "unauthorized" });
    const none = managerFor([transport]).socket("/game");
    expect(await refusedWith(none)).toMatchObject({ code: "unauthorized" });
    const service = await serviceTokenOf(JWT_SECRET, ["notify"]);
    const program = managerFor([transport]).socket("/game", { auth: { token: service } });
    expect(await refusedWith(program)).toMatchObject({ code: "forbidden" });
    const unknown = managerFor([transport]).socket("/nowhere", { auth: { token: ann!.token } });
    const [error] = await next<[Error]>(unknown, "connect_error");
    expect(error.message).toBe("Invalid namespace");
  });

  it(`[NSP7] binary goes both ways and comes back as it was (${transport})`, async () => {
    const [ann] = await troupe().users("ann");
    const socket = await enters(ann!, { manager: managerFor([transport]) });
    for (const size of [0, 1, 125, 126, 40_000]) {
      const bytes = Buffer.from(upTo(size).map((n) => n % 251));
      const answer = await asks<{ a: Buffer; b: Buffer[] }>(socket, "echo", {
        a: bytes,
        b: [bytes],
      });
      expect(Buffer.from(answer.a).equals(bytes)).toBe(true);
      expect(Buffer.from(answer.b[0]!).equals(bytes)).toBe(true);
    }
  });

  it(`[NSP3] it shares a connection with a session, and neither ends the other (${transport})`, async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    const manager = managerFor([transport]);
    const session = await enters(ann!, { manager, namespace: "/" });
    const socket = await enters(ann!, { manager });
    const here = { conversation_id: direct.id, client_id: "c1", body: "hi" };
    expect(await asks(session, "send_message", here)).toMatchObject({ ok: true });
    socket.disconnect();
    expect(await asks(session, "send_message", { ...here, client_id: "c2" })).toMatchObject({
      ok: true,
    });
    const again = await enters(ann!, { manager });
    expect(await asks(again, "who")).toMatchObject({ id: ann!.id });
    session.disconnect();
    await eventually(
      "the session is over",
      async () => {
        const { body } = await bob!.api.get<{ items: { status: string }[] }>(
          `/api/presence?user_ids=${ann!.id}`,
        );
        return body.items[0]?.status === "offline";
      },
      15_000,
    );
    expect(await asks(again, "who")).toMatchObject({ id: ann!.id });
  });
});

describe("namespaces", () => {
  it("[NSP8] rooms and broadcasts reach the sockets of all workers, and nobody else", async () => {
    const people = await troupe().users(...upTo(8).map((n) => `player${n}`));
    const sockets = await Promise.all(people.map((person) => enters(person)));
    const heard = sockets.map((socket) => {
      const said: unknown[][] = [];
      socket.on("said", (...args: unknown[]) => said.push(args));
      socket.on("all", (...args: unknown[]) => said.push(args));
      return said;
    });
    await Promise.all(sockets.slice(0, 6).map((socket) => asks(socket, "enter", "red")));
    sockets[0]!.emit("say", "red", { n: 1, bytes: Buffer.from([1, 2, 3]) });
    await eventually("the room has heard", () =>
      heard.slice(1, 6).every((said) => said.length === 1),
    );
    const [sender, text] = heard[1]![0] as [string, { n: number; bytes: Buffer }];
    expect([sender, text.n, [...text.bytes]]).toEqual([people[0]!.id, 1, [1, 2, 3]]);
    sockets[7]!.emit("all", "listen");
    await eventually("everybody has heard", () =>
      heard.every((said) => said.at(-1)?.[0] === "listen"),
    );
    expect(heard.map((said) => said.length)).toEqual([1, 2, 2, 2, 2, 2, 1, 1]);
  });

  it("[NSP2] a logout and a suspension end its sockets, and say why", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const other = await ann!.signsInAgain();
    const [first, second] = [await enters(ann!), await enters(other)];
    const [suspended] = [await enters(bob!)];
    const [why, gone] = [next(first, "session_ended"), next(first, "disconnect")];
    const refresh_token = ann!.login.refresh_token;
    expectStatus<unknown>(await ann!.api.post("/api/auth/logout", { refresh_token }), 204);
    expect(await why).toMatchObject([{ code: "logged_out", reconnect: false }]);
    expect(((await gone) as string[])[0]).toBe("io server disconnect");
    expect(await asks(second, "who")).toMatchObject({ id: ann!.id });
    const ended = next(suspended, "session_ended");
    const admin = await serviceTokenOf(JWT_SECRET, ["admin"]);
    const operator = new Api(troupe().url, () => admin);
    const answer = await operator.post(`/api/users/${bob!.id}/suspend`);
    expectStatus<unknown>(answer, 200);
    expect(await ended).toMatchObject([{ code: "suspended", reconnect: false }]);
    const back = managerFor().socket("/game", { auth: { token: bob!.token } });
    expect(await refusedWith(back)).toMatchObject({ code: "forbidden" });
  });

  it("[NSP4] what handlers throw and reject with is logged, and nothing else happens", async () => {
    const [ann] = await troupe().users("ann");
    const { workers } = troupe().pids();
    const socket = await enters(ann!);
    for (const fault of ["fail", "reject", "later"]) socket.emit(fault);
    await eventually("the faults are logged", () =>
      ["a handler's own fault", "a handler's rejection", "a timer's fault"].every((text) =>
        troupe().stderr.includes(text),
      ),
    );
    expect(troupe().stderr).toContain("game.namespace.ts:");
    expect(await asks(socket, "who")).toMatchObject({ id: ann!.id });
    const broken = managerFor().socket("/old", { auth: { token: ann!.token, broken: true } });
    expect(await refusedWith(broken)).toMatchObject({ code: "internal" });
    const old = await enters(ann!, { namespace: "/old" });
    old.disconnect();
    expect(troupe().pids().workers).toEqual(workers);
  });

  it("[NSP5] packets past the limit are refused, and a socket that goes on is ended", async () => {
    const [ann] = await troupe().users("ann");
    const socket = await enters(ann!);
    const answers = await Promise.all(upTo(150).map(() => asks<object>(socket, "who")));
    const refused = answers.filter((answer) => "ok" in answer);
    expect(refused.length).toBeGreaterThan(10);
    expect(refused[0]).toMatchObject({ ok: false, error: { code: "rate_limited" } });
    const [ended, gone] = [next(socket, "session_ended"), next(socket, "disconnect")];
    for (let n = 0; n < 2_000; n++) socket.emit("who");
    expect(await ended).toMatchObject([{ code: "rate_limited" }]);
    await gone;
  });

  it("[NSP9] the main namespace still refuses binary", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    const session = await enters(ann!, { namespace: "/" });
    const sent = { conversation_id: direct.id, client_id: "c", body: Buffer.from("x") };
    expect(await asks(session, "send_message", sent)).toMatchObject({
      ok: false,
      error: { code: "invalid_payload" },
    });
  });
});

describe("a mistake in a file", () => {
  async function refusalOf(files: Record<string, string>): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), "troupe-mistakes-"));
    try {
      for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
      const started = startTroupe({ workers: 1, env: { ACTORS_DIR: dir } });
      return await started.then(
        async (running) => {
          await running.discard();
          throw new Error("it started");
        },
        (error: unknown) => String(error),
      );
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }
  const define = `import { defineNamespace } from "troupe/actor";\n`;

  it("[EXT3] refuses the start with a sentence that names file and line", async () => {
    const setup = "(space: unknown) => void space";
    expect(
      await refusalOf({
        "a.namespace.ts": `${define}\nexport default defineNamespace("/a", ${setup})\nconst x = ;`,
      }),
    ).toMatch(/a\.namespace\.ts:4:\d+: Unexpected/);
    expect(
      await refusalOf({
        "a.namespace.ts": `${define}export default defineNamespace("game", ${setup});`,
        "b.namespace.ts": `${define}\nexport default defineNamespace("/b", ${setup});`,
        "c.namespace.ts": `${define}\n\nexport default defineNamespace("/b", ${setup});`,
        "d.namespace.ts": "export const nothing = 1;",
        "e.namespace.ts": `${define}\n\n\nthrow new Error("on purpose");`,
      }),
    ).toMatch(
      /a\.namespace\.ts:2:\d+: DefinitionMistake: .*"\/game"[\s\S]*c\.namespace\.ts:4:\d+: the namespace \/b is defined already, at b\.namespace\.ts:3:\d+[\s\S]*d\.namespace\.ts:1: it should have a default export[\s\S]*e\.namespace\.ts:5:\d+: Error: on purpose/,
    );
  });
});
