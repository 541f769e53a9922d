/**
 * The guide "Chat in your product": its back ends and its mailer as they stand there, and what it
 * says of refused tokens. Express is installed from a registry, and so tried with
 * TROUPE_TEST_NEXT=1 only; Flask is skipped, saying so, where there is none.
 */
import { SignJWT } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Message, User } from "../../src/protocol/schemas.ts";
import { startTroupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { Api } from "../support/http.ts";
import { ISSUER_NAME, Issuer, issuerKey } from "../support/issuer.ts";
import { expectStatus } from "../support/person.ts";
import { GuideProgram, mayAskRegistry, snippetWith } from "../support/product-guide.ts";
import { pythonWith } from "../support/python.ts";
import { Service } from "../support/service.ts";
import { Session } from "../support/session.ts";
import { noSocketsLeft, troupeForFile } from "../support/suite.ts";

const TRIES = 3;
/** A second of being unread, and some rounds of the job. */
const WRITTEN_WITHIN_MS = 15_000;
const python = pythonWith(["flask", "requests"], "the guide's Flask back end");
const programs: GuideProgram[] = [];

afterEach(async () => {
  for (const program of programs.splice(0)) await program.ends();
});

const BACK_ENDS = [
  {
    name: "Express",
    isThere: mayAskRegistry,
    async opens() {
      const server = snippetWith("js", 'from "express"');
      const program = await GuideProgram.with({ "server.mjs": server });
      programs.push(program);
      await program.installs("express");
      return { program, command: process.execPath, args: () => ["server.mjs"] };
    },
  },
  {
    name: "Flask",
    isThere: python !== null,
    async opens() {
      const program = await GuideProgram.with({ "shop.py": snippetWith("python", "from flask") });
      programs.push(program);
      const args = (port: string) => ["-m", "flask", "--app", "shop", "run", "--port", port];
      return { program, command: python!, args };
    },
  },
];

describe("the guide's programs", () => {
  const troupe = troupeForFile({
    env: { UNREAD_AFTER_S: "1", PRESENCE_GRACE_MS: "200" },
  });

  for (const { name, isThere, opens } of BACK_ENDS) {
    it.skipIf(!isThere)(
      `[GDE11] ${name} gives its own users tokens, and tells of an order in their conversation`,
      async () => {
        const { program, command, args } = await opens();
        await program.starts(troupe().url, command, args);
        await program.listens();
        expect((await program.as(null, "GET", "/chat/token")).status).toBe(401);
        expect((await program.as("stolen", "GET", "/chat/token")).status).toBe(401);

        const given = await program.as("s17", "GET", "/chat/token");
        expect([given.status, given.headers.get("cache-control")]).toEqual([200, "no-store"]);
        const { access_token, expires_in } = (await given.json()) as Record<string, unknown>;
        expect(expires_in).toBe(900);
        const ann = new Api(troupe().url, () => String(access_token));
        const me = expectStatus(await ann.get<User>("/api/me"), 200);
        expect(me).toMatchObject({ display_name: "Ann Ash", external_id: "17" });

        expect((await program.as(null, "POST", "/orders/5/shipped")).status).toBe(401);
        const told = await program.as("s17", "POST", "/orders/5/shipped");
        expect(told.status).toBe(201);
        const message = (await told.json()) as Message;
        const again = (await (
          await program.as("s17", "POST", "/orders/5/shipped")
        ).json()) as Message;
        expect(again.id).toBe(message.id);
        const list = await ann.get<{ items: ConversationSummary[] }>("/api/conversations");
        const conversation = list.body.items.find(({ id }) => id === message.conversation_id);
        expect(conversation).toMatchObject({
          title: "Order 5",
          unread_count: 0,
          last_message: { type: "system", sender_id: null, body: "Your order is on its way." },
        });
      },
      120_000,
    );
  }

  it("[GDE12] the mailer writes to who was away, by the product's own id", async () => {
    const { api } = await Service.of(troupe(), "users", "act");
    const ids = [];
    for (const name of ["Cat Cole", "Dan Dee"]) {
      const path = `/api/users/external/${name.slice(0, 3).toLowerCase()}`;
      const { body } = await api.put<User>(path, { display_name: name });
      ids.push(body.id);
    }
    const made = await api.put<{ id: string }>("/api/conversations/external/pair", {
      kind: "direct",
      member_ids: ids,
    });
    const program = await GuideProgram.with({ "mail.mjs": snippetWith("js", "sendMail") });
    programs.push(program);
    await program.starts(troupe().url, process.execPath, () => ["mail.mjs"]);
    // The mailer's first pull begins the event log: messages before it cause no event.
    for (let n = 0; n < TRIES && !program.said.includes("\n"); n++) {
      const message = { client_id: `hello ${n}`, body: "Are you there?" };
      const headers = { "troupe-act-as": "external:cat" };
      const path = `/api/conversations/${made.body.id}/messages`;
      expectStatus(await api.post<Message>(path, message, { headers }), 201);
      await eventually("an e-mail", () => program.said.includes("\n"), WRITTEN_WITHIN_MS).catch(
        (error: Error) => {
          if (n === TRIES - 1) throw error;
        },
      );
    }
    const mail = JSON.parse(program.said.split("\n")[0]!);
    expect(mail).toMatchObject({
      customer: "dan",
      subject: expect.stringMatching(/^Dan Dee, you have \d+ new messages$/),
      text: expect.stringContaining("Are you there?"),
    });
  }, 60_000);
});

it("[GDE13] a refused token says what the guide shows, over HTTP, on a socket and in the log", async () => {
  const key = await issuerKey("one");
  const issuer = await Issuer.publishing(key);
  const troupe = await startTroupe({ env: issuer.env });
  try {
    const token = await new SignJWT({ sub: "auth0|ann", iss: ISSUER_NAME, aud: "shop" })
      .setProtectedHeader({ alg: key.alg, kid: key.kid })
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(key.privateKey);
    const shown = JSON.parse(snippetWith("json", '"claim"'));
    const answer = await new Api(troupe.url, () => token).get<unknown>("/api/me");
    expect([answer.status, answer.body]).toEqual([401, shown]);
    expect(await Session.refused(troupe, { token })).toEqual(shown.error);
    const lines = () => troupe.stderr.split("\n").filter((line) => line.includes("access_refused"));
    await eventually("both are in the log", () => lines().length === 2);
    const { claim, problem } = shown.error.details;
    const acts = lines().map((line) => JSON.parse(line));
    for (const act of ["GET /api/me", "connect"]) {
      expect(acts).toContainEqual(expect.objectContaining({ act, claim, problem }));
    }
  } finally {
    await troupe.stop();
    await issuer.goesAway();
    await noSocketsLeft();
  }
});
