/** `set_prefs`: a user's own preferences of a conversation, over a socket. */
import type { PrefsQueries } from "../../ports/prefs.ts";
import type { UserOps } from "../../protocol/actor-ops.ts";
import { type ErrorObject, REFUSALS } from "../../protocol/errors.ts";
import { type Draft, draftOf, type Prefs, type PrefsChange } from "../../protocol/prefs.ts";
import { asConversationId } from "../../protocol/schemas.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import type { UserStream } from "../live/user-stream.ts";
import type { Drafts } from "./drafts.ts";
import type { Commands } from "./handler.ts";

export interface PrefsCommandDeps {
  gateway: Gateway;
  prefs: UserStream;
  drafts: Drafts;
  queries: Pick<PrefsQueries, "prefs">;
}

export function createPrefsCommands(deps: PrefsCommandDeps): Pick<Commands, "set_prefs"> {
  const { gateway, prefs, drafts, queries } = deps;

  return {
    async set_prefs(session, { conversation_id, draft: asked, ...change }, ack) {
      const id = asConversationId(conversation_id);
      const draft = asked && draftOf(asked);
      if (draft !== undefined) drafts.wrote(session, id, draft);
      if (Object.keys(change).length === 0) {
        const present = await queries.prefs(session.user, id);
        if (present === null) {
          drafts.forget(session, id);
          ack.refuse(REFUSALS.conversationNotFound.error);
        } else if (draft === undefined) ack.ok(JSON.stringify(present));
        else {
          const { prefs_rev: _, ...rest } = present;
          ack.ok(JSON.stringify(withDraft(rest, draft)));
        }
        return;
      }
      const body: UserOps["set_prefs"]["body"] = {
        session: session.id,
        conversation_id: id,
        change: change as Omit<PrefsChange, "draft">,
        draft_by: "",
      };
      prefs.asked(session);
      gateway.askText(`user:${session.user}`, "set_prefs", JSON.stringify(body), 0, (ok, answer) =>
        answered(ok, answer),
      );

      function answered(ok: boolean, answer: string): void {
        if (!ok) {
          const error = JSON.parse(answer) as ErrorObject;
          if (error.code === "not_found") drafts.forget(session, id);
          prefs.answered(session, 0, () => ack.refuse(error));
          return;
        }
        const changed = JSON.parse(answer) as Prefs;
        const shown = draft === undefined ? answer : JSON.stringify(withDraft(changed, draft));
        prefs.answered(session, changed.prefs_rev, () => ack.ok(shown));
      }
    },
  };
}

/** The preferences with a draft that has not become a change yet. */
function withDraft(prefs: Partial<Prefs>, draft: Draft | null): Partial<Prefs> {
  const { draft: _, ...rest } = prefs;
  return draft === null ? rest : { ...rest, draft };
}
