/**
 * Preferences in the actors: the user's actor has a change written and publishes it to the user's
 * own sessions once it is committed.
 *
 * [PRF1] A change is committed, then published with the number that it took, then answered.
 * [PRF2] Where it is not known whether a change was committed, the edges look for it.
 * [UMK1] A send or a read mark that takes away what the user had marked unread is a change of the
 *        user's preferences, which the conversation's actor publishes: no acknowledgement carries it.
 * [UMK2] What a user has cleared is known to the conversation's actor before the change is answered.
 * [PRF3] A user who loses a membership loses its preferences, and their sessions receive that.
 */
import type { UserOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { ConversationId, SessionId, UserId } from "../src/protocol/ids.ts";
import type { Prefs } from "../src/protocol/prefs.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { Unmarked } from "./ports.ts";
import type { MembershipPrefs, PrefsStore } from "./prefs-ports.ts";

/** Users whose preferences one statement reads. */
const USERS_AT_ONCE = 1_000;

export function setPrefs(
  user: UserId,
  body: UserOps["set_prefs"]["body"],
  store: PrefsStore,
  reply: Reply,
  ctx: Context,
): void {
  const { session, conversation_id, change, draft_by, own_draft_only } = body;
  ctx.run(
    store.change({
      userId: user,
      conversationId: conversation_id,
      change,
      session,
      draftBy: draft_by,
      ...(own_draft_only && { isOwnDraftOnly: true }),
    }),
    (result) => {
      if (!result.ok) {
        reply.refuse(result.error);
        return;
      }
      const { prefs, changed } = result.value;
      if (changed) publishPrefs(user, prefs, session, ctx);
      const { cleared_before_seq: before } = prefs;
      if (change.cleared_before_seq === undefined || before === undefined) {
        reply.ok(prefs, prefs.prefs_rev);
        return;
      }
      // [UMK2] Also where nothing changed: it may repeat a change whose answer was lost.
      const to = { kind: "conversation" as const, id: conversation_id };
      ctx.ask(to, "cleared", { user, before }, (known) => {
        if (known.ok) reply.ok(prefs, prefs.prefs_rev);
        else reply.refuse(known.error);
      });
    },
    () => {
      doubtPrefs(user, ctx);
      reply.refuse(REFUSALS.unavailable.error);
    },
  );
}

/** [PRF2] */
export function doubtPrefs(user: UserId, ctx: Context): void {
  ctx.publish(topicOf.user(user), { name: "prefs_doubted", rev: 0, body: "{}", note: "{}" });
}

/** [UMK1] */
export function publishUnmarked(user: UserId, unmarked: Unmarked | undefined, ctx: Context): void {
  if (unmarked === undefined) return;
  if (unmarked === null) doubtPrefs(user, ctx);
  else publishPrefs(user, unmarked, "", ctx);
}

/** [PRF3] */
export function announceForgotten(
  id: ConversationId,
  users: readonly UserId[],
  store: PrefsStore,
  ctx: Context,
): void {
  announceMemberships((some) => store.forgotten(id, some), users, ctx);
}

/** Memberships of a channel began. */
export function announceBegun(
  id: ConversationId,
  users: readonly UserId[],
  store: PrefsStore,
  ctx: Context,
): void {
  announceMemberships((some) => store.begun(id, some), users, ctx);
}

function announceMemberships(
  read: (users: readonly UserId[]) => Promise<MembershipPrefs[]>,
  users: readonly UserId[],
  ctx: Context,
): void {
  for (let from = 0; from < users.length; from += USERS_AT_ONCE) {
    ctx.run(
      read(users.slice(from, from + USERS_AT_ONCE)),
      (found) => {
        for (const { userId, prefs } of found) publishPrefs(userId, prefs, "", ctx);
      },
      // Storage is away: the next change of each of these users shows that one is missing.
      () => undefined,
    );
  }
}

/** `session`: whose acknowledgement carries the change. */
function publishPrefs(user: UserId, prefs: Prefs, session: SessionId | "", ctx: Context): void {
  ctx.publish(topicOf.user(user), {
    name: "prefs_updated",
    rev: prefs.prefs_rev,
    body: JSON.stringify(prefs),
    except: session,
  });
}
