/** The loaded kinds of actors in the published documents. */
import { expect, it } from "vitest";
import { defineActor, Type } from "../../src/actor/api.ts";
import { KindOfActor } from "../../src/actor/turns.ts";
import { withActorMessages, withActorPaths } from "../../src/protocol/app-actor-documents.ts";
import { asyncApiDocument } from "../../src/protocol/asyncapi.ts";
import { openApiDocument } from "../../src/protocol/openapi.ts";
import { problemsOfAsyncApi, problemsOfOpenApi } from "../support/published-documents.ts";

const { kind, ...rest } = new KindOfActor(
  defineActor({
    kind: "poll",
    version: 1,
    holdsUsers: false,
    state: Type.Object({}),
    create: { args: Type.Object({ question: Type.String() }), run: () => ({}) },
    view: () => null,
    events: { totals: Type.Object({ n: Type.Integer() }) },
    actions: {
      vote: { args: Type.Object({ choice: Type.Integer() }), run: () => null },
      close: { run: () => null },
    },
  }),
).describe();
const kinds = [{ kind, ...rest }];

it("[DOC20] OpenAPI has a path for each action of a loaded kind, with the schema of its args", () => {
  const document = withActorPaths(openApiDocument(), kinds);
  expect(problemsOfOpenApi(document)).toEqual(problemsOfOpenApi(openApiDocument()));
  const paths = document["paths"] as Record<string, unknown>;
  const own = Object.keys(paths).filter((path) => path.startsWith("/api/actors/poll"));
  expect(own).toEqual([
    "/api/actors/poll/{key}",
    "/api/actors/poll/{key}/vote",
    "/api/actors/poll/{key}/close",
  ]);
  expect(JSON.stringify(paths["/api/actors/poll/{key}/vote"])).toContain('"choice"');
});

it("[DOC21] AsyncAPI has a message for each action and event of a loaded kind", () => {
  const document = withActorMessages(asyncApiDocument(), kinds);
  expect(problemsOfAsyncApi(document)).toEqual(problemsOfAsyncApi(asyncApiDocument()));
  const { messages } = document["components"] as { messages: Record<string, unknown> };
  expect(Object.keys(messages).filter((name) => name.startsWith("poll."))).toEqual([
    "poll.create",
    "poll.call.vote",
    "poll.call.close",
    "poll.event.totals",
  ]);
});
