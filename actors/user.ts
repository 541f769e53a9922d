/**
 * The user actor: owns one user's sessions and presence (rules in presence.ts).
 *
 * [USR1] It makes conversations on the user's behalf; those taken in hear of it on their topic.
 * [USR2] A user that is not there is not found.
 */
import type { UserOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { UserId } from "../src/protocol/ids.ts";
import type { Conversation, Status } from "../src/protocol/schemas.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Behaviour, Context, Incoming, Reply } from "./behaviour.ts";
import { USER_IDLE_MS } from "./limits.ts";
import type { ActorPorts } from "./ports.ts";
import {
  ABSENT,
  type Presence,
  type PresenceEvent,
  shownStatus,
  stepPresence,
} from "./presence.ts";

export interface UserState {
  id: UserId;
  presence: Presence;
  lastSeenAt: string | null;
}

export interface UserRules {
  /** Milliseconds that an ended session's presence outlives it. */
  graceMs: number;
}

const PRESENCE_TIMER = "presence";

export function userBehaviour(ports: ActorPorts, rules: UserRules): Behaviour<UserState> {
  function step(state: UserState, event: PresenceEvent, ctx: Context): void {
    const { presence, notice, isRestated, wakeInMs } = stepPresence(
      state.presence,
      event,
      ctx.nowMs,
      rules.graceMs,
    );
    state.presence = presence;
    if (wakeInMs === null) ctx.cancel(PRESENCE_TIMER);
    else ctx.after(wakeInMs, PRESENCE_TIMER);
    if (notice === null) return;
    if (notice === "offline" && presence.lastEndedAtMs !== null)
      wasSeen(state, presence.lastEndedAtMs, ctx);
    ctx.publish(topicOf.status(state.id), {
      name: "user_status",
      rev: 0,
      body: JSON.stringify(statusOf(state)),
      note: isRestated ? "restated" : "",
    });
  }

  function wasSeen(state: UserState, atMs: number, ctx: Context): void {
    const at = new Date(atMs).toISOString();
    state.lastSeenAt = at;
    ctx.run(
      ports.users.saveLastSeen(state.id, at),
      () => undefined,
      // Storage is away: the value lives on here, and the next going offline writes a newer one.
      () => undefined,
    );
  }

  function createConversation(
    state: UserState,
    body: UserOps["create_conversation"]["body"],
    reply: Reply,
    ctx: Context,
  ): void {
    const others = [...new Set(body.member_ids)].filter((id) => id !== state.id);
    const kind = others.length === 1 && body.title === null ? "direct" : "group";
    ctx.run(
      ports.conversations.create(kind, state.id, [state.id, ...others], body.title),
      (result) => {
        if (!result.ok) {
          reply.refuse(result.error);
          return;
        }
        const { created, conversation } = result.value;
        if (created) announceJoined(conversation, conversation.members.map(memberId), ctx);
        reply.ok({ created, conversation });
      },
      () => reply.refuse(REFUSALS.unavailable.error),
    );
  }

  return {
    kind: "user",
    idleMs: USER_IDLE_MS,

    async activate(id) {
      const lastSeenAt = await ports.users.lastSeen(id as UserId);
      if (lastSeenAt === undefined) return null;
      return { id: id as UserId, presence: ABSENT, lastSeenAt };
    },

    receive(state: UserState, { op, body, reply }: Incoming, ctx: Context): void {
      switch (op as keyof UserOps) {
        case "session_opened":
          step(state, { type: "opened", ...(body as UserOps["session_opened"]["body"]) }, ctx);
          break;
        case "sessions_announced":
          step(
            state,
            { type: "announced", ...(body as UserOps["sessions_announced"]["body"]) },
            ctx,
          );
          break;
        case "session_closed":
          step(state, { type: "closed", ...(body as UserOps["session_closed"]["body"]) }, ctx);
          break;
        case "set_status":
          step(state, { type: "set", ...(body as UserOps["set_status"]["body"]) }, ctx);
          reply.ok({});
          break;
        case "status": {
          const { known } = body as UserOps["status"]["body"];
          if (known !== undefined) step(state, { type: "known", status: known }, ctx);
          reply.ok(statusOf(state));
          break;
        }
        case "create_conversation":
          createConversation(state, body as UserOps["create_conversation"]["body"], reply, ctx);
          break;
        default:
          throw new Error(`user actor: unknown op ${op}`);
      }
    },

    onTimer(state, _timer, ctx) {
      step(state, { type: "time_up" }, ctx);
    },

    onWorkersGone(state, lives, ctx) {
      step(state, { type: "workers_gone", lives }, ctx);
    },

    isBusy: (state) => state.presence.sessions.size > 0 || state.presence.phase.is !== "steady",
  };
}

function statusOf(state: UserState): Status {
  return {
    user_id: state.id,
    status: shownStatus(state.presence),
    last_seen_at: state.lastSeenAt,
  };
}

const memberId = (member: { user_id: string }) => member.user_id as UserId;

/** Tells the edges where these users have sessions that the conversation is theirs now. */
export function announceJoined(conversation: Conversation, users: UserId[], ctx: Context): void {
  const body = JSON.stringify(conversation);
  const note = JSON.stringify({ conversation_id: conversation.id, rev: conversation.rev });
  for (const user of users) {
    ctx.publish(topicOf.user(user), { name: "conversation_joined", rev: 0, body, note });
  }
}
