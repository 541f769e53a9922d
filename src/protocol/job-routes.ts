/**
 * Long work: what begins it, and how far it is. Part of the table in routes.ts.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { ById, type RouteSpec } from "./route-spec.ts";
import { ErrorBody, Id, Request } from "./schemas.ts";

export const ErasedMessages = Type.Union([Type.Literal("keep"), Type.Literal("erase")], {
  description:
    "`erase`: the user's messages are emptied. `keep`: they stay, with their attachments, under a user without a name.",
});

const Begun = Type.Object({ job_id: Id });

export const Job = Type.Object({
  id: Id,
  kind: Type.String({ examples: ["users.erase"] }),
  state: Type.Union([
    Type.Literal("waiting"),
    Type.Literal("running"),
    Type.Literal("done"),
    Type.Literal("failed"),
  ]),
  progress: Type.Object({}, { description: "How far it has come; empty before it has begun." }),
  result: Type.Optional(
    Type.Object(
      {},
      {
        description:
          "When it is done; of an erasure how much of what went, of an export `{url, expires_at, bytes, lines, files}`, of an import `{users, conversations, messages}`.",
      },
    ),
  ),
  error: Type.Optional(ErrorBody),
});

export const JOB_ROUTES = {
  getJob: {
    group: "Services",
    method: "GET",
    path: "/api/jobs/:id",
    summary:
      "How far long work is, and what came of it. For who asked for it, and for scope `admin`; kept for 7 days.",
    token: true,
    alsoScope: "users",
    params: ById,
    answers: { 200: Job },
    refusals: ["not_found"],
  },
  startImport: {
    group: "Services",
    method: "POST",
    path: "/api/imports",
    summary:
      "Import users, conversations, messages and more: the body is JSONL of any size, one object a line (`ImportUser`, `ImportMessage` …), or the zip of an export. A job validates every line before it writes the first; the same file again changes nothing. No events and notifications come of it.",
    token: true,
    scope: "import",
    isBytes: true,
    answers: { 202: Begun },
    refusals: ["payload_too_large", "unsupported_media_type"],
  },
  startExport: {
    group: "Services",
    method: "POST",
    path: "/api/exports",
    summary:
      "Export a user, a conversation or everything for a service, or oneself: a job makes a zip of `data.jsonl`, one object a line, and the files. A user's holds what is their own, and of others names and ids only. One export of a thing is kept for each who asks; another one takes its place.",
    token: true,
    alsoScope: "export",
    isBodyOptional: true,
    body: Request({
      user_id: Type.Optional(Id),
      conversation_id: Type.Optional(Id),
      all: Type.Optional(Type.Literal(true)),
    }),
    answers: { 202: Begun },
    refusals: ["not_found"],
  },
  getExport: {
    group: "Services",
    method: "GET",
    path: "/api/exports/:id",
    summary:
      "The zip that an export has made, `url` in its job's result: for a day, and only for who asked for it.",
    token: true,
    alsoScope: "export",
    params: ById,
    answers: { 200: "application/zip" },
    refusals: ["not_found"],
  },
  eraseUser: {
    group: "Services",
    method: "DELETE",
    path: "/api/users/:id",
    summary:
      "Erase a user: out everywhere and without a name at once; a job takes away the rest, and its result counts what went. Again, it goes through everything again.",
    token: true,
    scope: "users",
    params: ById,
    query: Request({ messages: ErasedMessages }),
    answers: { 202: Begun },
    refusals: ["not_found"],
  },
  eraseMe: {
    group: "Accounts and tokens",
    method: "POST",
    path: "/api/me/erase",
    summary:
      "Erase oneself, where the account is Troupe's own. There is no way back; a wrong password is `forbidden`.",
    token: true,
    body: Request({
      // Not the rules of a new one: an older password may be any.
      password: Type.String({ minLength: 1, maxLength: 200 }),
      messages: ErasedMessages,
    }),
    answers: { 202: Begun },
    refusals: [],
  },
} as const satisfies Record<string, RouteSpec>;

export type Job = Static<typeof Job>;
