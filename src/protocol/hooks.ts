/** The questions to an application before a commit (HOOK_URL): types, questions, answers. */
import type { Static } from "typebox";
import Type from "typebox";
import { Id, Nullable } from "./schemas.ts";

export const HOOK_TYPES = [
  "message.send",
  "message.edit",
  "conversation.create",
  "member.add",
  "user.register",
  "post.create",
  "comment.create",
] as const;
export type HookType = (typeof HOOK_TYPES)[number];

/** Questions in one request. */
export const HOOK_BATCH_MAX = 100;

export const HookQuestion = Type.Object({
  id: Type.String({ description: "Names the question in the answer." }),
  type: Type.Union(HOOK_TYPES.map((name) => Type.Literal(name))),
  actor_id: Nullable(Id),
  data: Type.Object({}, { description: "What was asked for, with the ids of the path." }),
});
export const HookAsked = Type.Object({
  events: Type.Array(HookQuestion, { minItems: 1, maxItems: HOOK_BATCH_MAX }),
});

export const HookAnswer = Type.Object({
  id: Type.String(),
  action: Type.Union([Type.Literal("allow"), Type.Literal("replace"), Type.Literal("refuse")]),
  body: Type.Optional(Type.String()),
  data: Type.Optional(Type.Unknown()),
  message: Type.Optional(Type.String()),
});
export const HookAnswered = Type.Object({ answers: Type.Array(HookAnswer) });

export type HookQuestion = Static<typeof HookQuestion>;
export type HookAnswer = Static<typeof HookAnswer>;
