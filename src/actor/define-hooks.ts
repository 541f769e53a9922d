/** `defineHooks`: what the application is asked about before it is committed, in process. */
import { type HookCaller, IN_PROCESS_HOOKS, type InProcessHook } from "../protocol/hooks.ts";
import { mistaken, synchronous } from "./mistake.ts";

type Allow = { action: "allow" };
type Refuse = { action: "refuse"; message?: string };
type ReplaceData = { action: "replace"; data?: Record<string, unknown> | null };
type Replace = ReplaceData & { body?: string };

export interface AskedMessage {
  conversation_id: string;
  client_id: string;
  body: string;
  reply_to_seq: number | null;
  type?: string;
  data?: Record<string, unknown>;
  attachments?: string[];
}

export interface AskedEdit {
  conversation_id: string;
  seq: number;
  body?: string;
  data?: Record<string, unknown> | null;
}

/** The next piece of a streamed message; `offset` in code points. */
export interface AskedAppend {
  conversation_id: string;
  seq: number;
  offset: number;
  text: string;
}

export interface AskedConversation {
  kind?: string;
  title?: string;
  member_ids?: string[];
  data?: Record<string, unknown>;
}

export interface AskedMembers {
  conversation_id: string;
  user_ids: string[];
}

/** A user; calls of services are not asked about. */
export type Asking = HookCaller & { user: string };

/** Each is synchronous and has 5 ms; a throw or a time-out is HOOK_ON_FAILURE. */
export interface InProcessHooks {
  beforeSend?(message: AskedMessage, caller: Asking): Allow | Replace | Refuse;
  beforeEdit?(edit: AskedEdit, caller: Asking): Allow | Replace | Refuse;
  beforeAppend?(append: AskedAppend, caller: Asking): Allow | Refuse;
  beforeCreateConversation?(
    conversation: AskedConversation,
    caller: Asking,
  ): Allow | ReplaceData | Refuse;
  beforeAddMember?(added: AskedMembers, caller: Asking): Allow | Refuse;
}

export interface HooksDefinition {
  readonly troupe: "hooks";
  readonly hooks: InProcessHooks;
  /** The stack of the definition, which tells its file and line. */
  readonly place: Error;
}

const NAMES = Object.keys(IN_PROCESS_HOOKS) as InProcessHook[];

/**
 * Defines hooks, the default export of a `*.hooks.ts` or `*.hooks.js`. They run before HOOK_URL is
 * asked, those of several files one after another by the files' names:
 *
 *   export default defineHooks({
 *     beforeSend: (message) =>
 *       message.body.includes("spam") ? { action: "refuse", message: "No." } : { action: "allow" },
 *   });
 */
export function defineHooks(hooks: InProcessHooks): HooksDefinition {
  if (typeof hooks !== "object" || hooks === null) mistaken("defineHooks", "it takes one object.");
  const names = Object.keys(hooks);
  if (names.length === 0) mistaken("defineHooks", `it defines none of ${NAMES.join(", ")}.`);
  for (const name of names) {
    const known = NAMES.find((one) => one === name);
    if (known === undefined) {
      mistaken("defineHooks", `there is no hook ${JSON.stringify(name)}: ${NAMES.join(", ")}.`);
    }
    synchronous("defineHooks", hooks[known], name, "a hook answers at once.");
  }
  return { troupe: "hooks", hooks, place: new Error("hooks") };
}
