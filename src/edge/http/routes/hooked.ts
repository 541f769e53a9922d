/**
 * Handlers about whose calls the application is asked first (defineHooks, HOOK_URL): everything but messages,
 * which their conversation's actor holds in order (actors/held-messages.ts). Where there is no hook,
 * each is called as it is. Calls of services are not asked about.
 */

import type { Result } from "../../../protocol/errors.ts";
import type { Hooks, HookType } from "../../../protocol/hooks.ts";
import type { RouteName } from "../../../protocol/routes.ts";
import type { Identity } from "../../auth/identity.ts";
import type { PlainHandlers } from "../server/call.ts";

type Fields = Record<string, unknown>;
interface AnyCall {
  params: Fields;
  body: Fields;
  caller: Identity | null;
}
type AnyHandler = (call: AnyCall) => Promise<Result<{ status: number; body: unknown }>>;

/** What the hook is shown of each call. */
const ASKED: Partial<Record<RouteName, { type: HookType; dataOf: (call: AnyCall) => object }>> = {
  register: {
    type: "user.register",
    // Never the password.
    dataOf: ({ body: { password: _password, ...rest } }) => rest,
  },
  createConversation: { type: "conversation.create", dataOf: ({ body }) => body },
  addMembers: {
    type: "member.add",
    dataOf: ({ params, body }) => ({ conversation_id: params["id"], ...body }),
  },
  createPost: { type: "post.create", dataOf: ({ body }) => body },
  createComment: {
    type: "comment.create",
    dataOf: ({ params, body }) => ({ post_id: params["id"], ...body }),
  },
};

export function hooked(handlers: PlainHandlers, hooks: Hooks | null): PlainHandlers {
  if (hooks === null) return handlers;
  const all = { ...handlers } as unknown as Record<RouteName, AnyHandler>;
  for (const [name, { type, dataOf }] of Object.entries(ASKED)) {
    if (!hooks.wants(type)) continue;
    const handler = all[name as RouteName];
    all[name as RouteName] = async (call) => {
      const { caller } = call;
      if (caller !== null && caller.service !== null) return handler(call);
      const user = caller?.userId ?? null;
      const claims = caller?.claims ?? null;
      const asked = { user, session: null, service: null, ...(claims !== null && { claims }) };
      const verdict = await hooks.ask(type, asked, dataOf(call));
      switch (verdict.is) {
        case "refuse":
          return { ok: false, error: verdict.error };
        case "allow":
          return handler(call);
        case "replace": {
          const { is: _is, data, ...replaced } = verdict;
          const { data: before, ...body } = call.body;
          const left = data === undefined ? before : (data ?? undefined);
          const own = left === undefined ? null : { data: left };
          return handler({ ...call, body: { ...body, ...replaced, ...own } });
        }
      }
    };
  }
  return all as unknown as PlainHandlers;
}
