/** The questions to an application before a commit (HOOK_URL): types, questions, answers. */
import type { Static } from "typebox";
import Type from "typebox";
import { AppData } from "./app-data.ts";
import { type ErrorObject, refused } from "./errors.ts";
import { Body, Id, MessageBody, Nullable } from "./schemas.ts";

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

/** The hooks of `defineHooks`, each with the type of its questions. */
export const IN_PROCESS_HOOKS = {
  beforeSend: "message.send",
  beforeEdit: "message.edit",
  beforeAppend: "message.append",
  beforeCreateConversation: "conversation.create",
  beforeAddMember: "member.add",
} as const;
export type InProcessHook = keyof typeof IN_PROCESS_HOOKS;
export type AskedType = HookType | (typeof IN_PROCESS_HOOKS)[InProcessHook];

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

const Data = Type.Optional(Nullable(AppData(4096)));

/** What an answer may replace, by type; null: nothing. */
export const REPLACED: Readonly<Record<AskedType, Type.TObject | null>> = {
  "message.send": Type.Object({ body: Type.Optional(MessageBody), data: Data }),
  "message.edit": Type.Object({ body: Type.Optional(MessageBody), data: Data }),
  "message.append": null,
  "conversation.create": Type.Object({ data: Data }),
  "member.add": null,
  "user.register": null,
  "post.create": Type.Object({ body: Type.Optional(Body), data: Data }),
  "comment.create": Type.Object({ body: Type.Optional(Body), data: Data }),
};

export type Replacement = { body?: string; data?: AppData | null };

/** What becomes of a call; a hook that failed is one of these, too, as HOOK_ON_FAILURE says. */
export type HookVerdict =
  | { is: "allow" }
  | ({ is: "replace" } & Replacement)
  | { is: "refuse"; error: ErrorObject };

const UNDECIDED = refused("unavailable", "This cannot be decided right now. Try again.").error;

export function verdictOnFailure({
  hookOnFailure,
}: {
  hookOnFailure: "refuse" | "allow";
}): HookVerdict {
  return hookOnFailure === "allow" ? { is: "allow" } : { is: "refuse", error: UNDECIDED };
}

/** The caller who is asked about; services are not. */
export interface HookCaller {
  /** Null: an account is being registered. */
  user: string | null;
  /** The socket's session; null over HTTP. */
  session: string | null;
  service: null;
  /** What the application had put into the user's token. */
  claims?: Readonly<Record<string, unknown>>;
  /** The caller's role in the conversation. */
  role?: string;
}

/** Asks the application before something is committed. */
export interface Hooks {
  /** Whether it wants to be asked about such calls. */
  wants(type: AskedType): boolean;
  /** Never rejects, and answers in time. */
  ask(type: AskedType, caller: HookCaller, data: object): Promise<HookVerdict>;
}

export interface HookQuestion {
  id: string;
  type: HookType;
  actor_id: string | null;
  data: object;
}
export type HookAnswer = Static<typeof HookAnswer>;
