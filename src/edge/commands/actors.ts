/** What sessions ask of the application's own actors. */

import type { SyncedActor } from "../../protocol/app-actor-events.ts";
import { appActorId } from "../../protocol/app-actors.ts";
import type { AppKinds } from "../../protocol/app-kinds.ts";
import type { ErrorObject } from "../../protocol/errors.ts";
import type { ConversationId } from "../../protocol/ids.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import { callHash, checkedArgs, userCaller } from "../actor-calls.ts";
import { type ActorWatches, newsText } from "../live/actor-watches.ts";
import type { Session } from "../session/session.ts";
import type { AckSink } from "./ack-sink.ts";
import type { Commands } from "./handler.ts";

export interface ActorCommandDeps {
  gateway: Gateway;
  actorWatches: ActorWatches;
  appKinds: AppKinds;
}

type Names = "create_actor" | "call" | "watch_actor" | "unwatch_actor";

const callerOf = ({ user, id, claims }: Session) => userCaller(user, id, claims);

export function createActorCommands(deps: ActorCommandDeps): Pick<Commands, Names> {
  const { gateway, actorWatches, appKinds } = deps;

  function ask(
    session: Session,
    { kind, key }: { kind: string; key: string },
    op: "create" | "call",
    body: object,
    ack: AckSink,
  ): void {
    gateway.askText(
      `app:${appActorId(kind, key)}`,
      op,
      JSON.stringify(body),
      0,
      (ok, text, rev) => {
        if (!ok) ack.refuse(JSON.parse(text) as ErrorObject);
        else actorWatches.answer(session, kind, key, rev, () => ack.ok(text));
      },
    );
  }

  return {
    create_actor(session, { kind, key, args, conversation_id, call_id }, ack) {
      const unknown = appKinds.refusalOf(kind);
      const checked = checkedArgs(args);
      if (unknown !== null) ack.refuse(unknown.error);
      else if (!checked.ok) ack.refuse(checked.error);
      else {
        const conversation = (conversation_id ?? null) as ConversationId | null;
        const hash = callHash("", { args, conversation });
        const body = {
          args,
          call_id,
          hash,
          caller: callerOf(session),
          conversation_id: conversation,
        };
        ask(session, { kind, key }, "create", body, ack);
      }
    },

    call(session, { kind, key, action, args = {}, call_id }, ack) {
      const unknown = appKinds.refusalOf(kind, action);
      const checked = checkedArgs(args);
      if (unknown !== null) ack.refuse(unknown.error);
      else if (!checked.ok) ack.refuse(checked.error);
      else {
        const hash = callHash(action, args);
        const body = { action, args, call_id, hash, caller: callerOf(session) };
        ask(session, { kind, key }, "call", body, ack);
      }
    },

    async watch_actor(session, { kind, key, after_rev }, ack) {
      const unknown = appKinds.refusalOf(kind);
      if (unknown !== null) ack.refuse(unknown.error);
      else await actorWatches.watch(session, kind, key, after_rev ?? null, ack);
    },

    unwatch_actor(session, { kind, key }, ack) {
      actorWatches.unwatch(session, kind, key);
      ack.ok("{}");
    },
  };
}

/** What a client of these actors has missed. Rejects with nothing; null: unavailable now. */
export async function syncActors(
  { gateway, appKinds }: Pick<ActorCommandDeps, "gateway" | "appKinds">,
  session: Session,
  asked: readonly { kind: string; key: string; after_rev: number }[],
): Promise<SyncedActor[] | null> {
  const answers = await Promise.all(
    asked.map(async ({ kind, key, after_rev }): Promise<SyncedActor | null> => {
      const unknown = appKinds.refusalOf(kind);
      if (unknown !== null) {
        return unknown.error.code === "not_found" ? { kind, key, gone: true } : null;
      }
      const answer = await gateway.ask("app", appActorId(kind, key), "watch", {
        caller: callerOf(session),
        after_rev,
      });
      if (!answer.ok) {
        const isGone = answer.error.code === "not_found" || answer.error.code === "forbidden";
        return isGone ? { kind, key, gone: true } : null;
      }
      const news = JSON.parse(newsText({ kind, key }, answer.value, session.user)) as SyncedActor;
      return { ...news, kind, key, ...(answer.value.reset && { reset: true as const }) };
    }),
  );
  return answers.includes(null) ? null : (answers as SyncedActor[]);
}
