/** The requests that Troupe makes itself, for the OpenAPI document: webhooks, and HOOK_URL. */
import type { TObject } from "typebox";
import Type from "typebox";
import { CLIENT_EVENTS } from "./events.ts";
import { HOOK_TYPES, HookAnswered, type HookType } from "./hooks.ts";
import { OUTSIDE_EVENT_SCHEMAS } from "./outside-events.ts";
import { type JsonObject, published } from "./published.ts";
import { ROUTES } from "./routes.ts";
import { Id, Nullable } from "./schemas.ts";

const { password: _password, ...registered } = ROUTES.register.body.properties;

/** What the hook is shown, by type. */
const HOOK_DATA: Readonly<Record<HookType, TObject>> = {
  "message.send": CLIENT_EVENTS.send_message.payload,
  "message.edit": CLIENT_EVENTS.edit_message.payload,
  "conversation.create": ROUTES.createConversation.body,
  "member.add": Type.Object({ conversation_id: Id, ...ROUTES.addMembers.body.properties }),
  "user.register": Type.Object(registered),
  "post.create": ROUTES.createPost.body,
  "comment.create": Type.Object({ post_id: Id, ...ROUTES.createComment.body.properties }),
};

const questionOf = (type: HookType) =>
  published(
    Type.Object({
      id: Type.String(),
      type: Type.Literal(type),
      actor_id: Nullable(Id),
      data: HOOK_DATA[type],
    }),
  );

const body = (schema: JsonObject) => ({
  required: true,
  content: { "application/json": { schema } },
});

/** `webhooks` of the document. */
export function publishedWebhooks(): JsonObject {
  const webhooks: JsonObject = {};
  for (const [type, schema] of Object.entries(OUTSIDE_EVENT_SCHEMAS)) {
    webhooks[type] = {
      post: {
        summary: `The event \`${type}\`, as webhooks are sent it and the event log holds it.`,
        requestBody: body(published(schema)),
        responses: { "2XX": { description: "It was taken; anything else is tried again." } },
      },
    };
  }
  webhooks["HOOK_URL"] = {
    post: {
      summary: "Asks before a commit.",
      requestBody: body({
        type: "object",
        required: ["events"],
        properties: {
          events: { type: "array", maxItems: 100, items: { oneOf: HOOK_TYPES.map(questionOf) } },
        },
      }),
      responses: {
        "200": {
          description: "What is to become of each.",
          content: { "application/json": { schema: published(HookAnswered) } },
        },
      },
    },
  };
  return webhooks;
}
