/** `defineHooks`: what an application decides in process before Troupe does something. */
import { DefinitionMistake } from "./mistake.ts";

export type HookAnswer =
  | { action: "allow" }
  | { action: "replace"; body?: string; data?: Record<string, unknown> | null }
  | { action: "refuse"; message?: string };

/** The user for whom it is done, as actors know callers. */
export interface HookCaller {
  user: string;
}

export interface Hooks {
  beforeSend?(message: HookMessage, caller: HookCaller): HookAnswer;
  beforeEdit?(message: HookMessage & { seq: number }, caller: HookCaller): HookAnswer;
  /** Allows or refuses only. */
  beforeAppend?(
    append: { conversation_id: string; seq: number; offset: number; text: string },
    caller: HookCaller,
  ): HookAnswer;
  beforeCreateConversation?(
    conversation: { kind: string; member_ids: string[]; title: string | null },
    caller: HookCaller,
  ): HookAnswer;
  beforeAddMember?(
    added: { conversation_id: string; user_ids: string[] },
    caller: HookCaller,
  ): HookAnswer;
}

export interface HookMessage {
  conversation_id: string;
  body: string;
  type?: string;
  data?: Record<string, unknown> | null;
}

export interface HooksDefinition {
  readonly troupe: "hooks";
  readonly hooks: Hooks;
  readonly place: Error;
}

export const HOOK_NAMES = [
  "beforeSend",
  "beforeEdit",
  "beforeAppend",
  "beforeCreateConversation",
  "beforeAddMember",
] as const;

/** Defines hooks, the default export of a `*.hooks.ts` or `*.hooks.js`. */
export function defineHooks(hooks: Hooks): HooksDefinition {
  if (typeof hooks !== "object" || hooks === null) {
    throw new DefinitionMistake("defineHooks: it takes one object.");
  }
  for (const [name, hook] of Object.entries(hooks)) {
    if (!(HOOK_NAMES as readonly string[]).includes(name)) {
      throw new DefinitionMistake(`defineHooks: there is no hook ${JSON.stringify(name)}.`);
    }
    if (typeof hook !== "function" || hook.constructor.name === "AsyncFunction") {
      throw new DefinitionMistake(`defineHooks: \`${name}\` should be a function, and not async.`);
    }
  }
  return { troupe: "hooks", hooks, place: new Error("hooks") };
}
