/**
 * The user actor: owns one user's sessions, presence and notifications, and acts on the user's
 * behalf where what is made has no actor yet (conversations, posts) or is a tie between two
 * users (follows, blocks). Rules are in presence.ts and notices.ts; this sequences them.
 *
 * [USR1] It makes conversations on the user's behalf, and announces them to the members' edges.
 * [USR2] A user that is not there is not found.
 * [USR5] When a user changes what others may see of them, those who watch receive what they may see
 *        now. Conversations learn of it from the caller.
 * [USR4] A pair's conversation that is there already takes the name that a service gives; its actor
 *        learns of it.
 * [USR3] A user has at most `sessionsMax` sessions: when one more opens, the oldest is ordered to end.
 */
import type { UserOps, UserOrders } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { PostId, UserId } from "../src/protocol/ids.ts";
import { shownName } from "../src/protocol/isolated.ts";
import { withChangedMembers, withFirstMembers } from "../src/protocol/members.ts";
import { isReserved } from "../src/protocol/privacy.ts";
import type { Conversation, Status } from "../src/protocol/schemas.ts";
import { statusNote } from "../src/protocol/status-notes.ts";
import { isoOf, later, type Monotonic, msBetween } from "../src/protocol/time.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Behaviour, Context, Incoming, Reply } from "./behaviour.ts";
import { announceMadeChannel } from "./channel.ts";
import { endFloods, FLOODS_TIMER, type Floods, notifyGathered } from "./floods.ts";
import { emptyInbox, type Inbox, LIKES_TIMER, likesChanged, messageWindow } from "./inbox.ts";
import { announceJoined } from "./joined.ts";
import { USER_IDLE_MS } from "./limits.ts";
import { notifyMentioned } from "./mentions.ts";
import type { ActorPorts } from "./ports.ts";
import { setPrefs } from "./prefs.ts";
import {
  ABSENT,
  type Presence,
  type PresenceEvent,
  pushReach,
  shownStatus,
  stepPresence,
  surplusSessions,
} from "./presence.ts";
import {
  noProfileNews,
  PROFILE_TIMER,
  type ProfileNews,
  profileChanged,
  publishProfile,
} from "./profile.ts";
import type { SocialPorts } from "./social-ports.ts";

export interface UserState {
  id: UserId;
  presence: Presence;
  /** A push waits for a session; what happens when it need not is in `step`. */
  holdsPush: boolean;
  lastSeenAt: string | null;
  /** Whether the user hides presence or the time last seen from anybody. */
  isReserved: boolean;
  inbox: Inbox;
  floods: Floods;
  profile: ProfileNews;
}

export interface UserRules {
  /** Milliseconds that an ended session's presence outlives it. */
  graceMs: number;
  /** Sessions of one user, over all workers and hosts. */
  sessionsMax: number;
}

const PRESENCE_TIMER = "presence";

export function userBehaviour(
  ports: ActorPorts & SocialPorts,
  rules: UserRules,
): Behaviour<UserState> {
  function step(state: UserState, event: PresenceEvent, ctx: Context): void {
    const { presence, notice, isRestated, wakeInMs } = stepPresence(
      state.presence,
      event,
      ctx.monotonicMs,
      rules.graceMs,
      (worker) => ctx.isAway(worker),
    );
    const before = state.presence.published;
    state.presence = presence;
    releasePushes(state, ctx);
    if (wakeInMs === null) ctx.cancel(PRESENCE_TIMER);
    else ctx.after(wakeInMs, PRESENCE_TIMER);
    if (notice === null) return;
    if (notice === "offline" && presence.lastEndedAtMs !== null)
      wasSeen(state, presence.lastEndedAtMs, ctx);
    if (before === "offline" && notice !== "offline" && !isRestated) {
      // Storage is away: an event about presence is missing, as its log is.
      ctx.run(ports.users.cameOnline(state.id), nothing, nothing);
    }
    ctx.publish(topicOf.status(state.id), {
      name: "user_status",
      rev: 0,
      body: JSON.stringify(statusOf(state)),
      note: statusNote({ isRestated, isReserved: state.isReserved }),
    });
  }

  /** Storage is away: they go when their time is up. */
  function releasePushes(state: UserState, ctx: Context): void {
    if (!state.holdsPush || pushReach(state.presence) !== "now") return;
    state.holdsPush = false;
    ctx.run(ports.users.releasePushes(state.id), nothing, nothing);
  }

  /** [USR3] */
  function endSurplus(state: UserState, ctx: Context): void {
    const sessions = surplusSessions(state.presence, rules.sessionsMax);
    if (sessions.length === 0) return;
    for (const session of sessions) order(ctx, state.id, "session_surplus", { session });
    step(state, { type: "surplus", sessions }, ctx);
  }

  function wasSeen(state: UserState, atMs: Monotonic, ctx: Context): void {
    const at = isoOf(later(ctx.wallMs, -msBetween(atMs, ctx.monotonicMs)));
    state.lastSeenAt = at;
    ctx.run(
      ports.users.saveLastSeen(state.id, at),
      () => undefined,
      // Storage is away: the value lives on here, and the next going offline writes a newer one.
      () => undefined,
    );
  }

  const nothing = () => undefined;
  const unavailable = (reply: Reply) => () => reply.refuse(REFUSALS.unavailable.error);

  function createConversation(
    state: UserState,
    body: UserOps["create_conversation"]["body"],
    reply: Reply,
    ctx: Context,
  ): void {
    const others = [...new Set(body.member_ids)].filter((id) => id !== state.id);
    const { title, extras = {}, external_id, audience, service } = body;
    const byService = external_id === undefined ? null : { by: null, externalId: external_id };
    const kind = body.kind ?? (others.length === 1 && title === null ? "direct" : "group");
    ctx.run(
      ports.conversations.create(kind, state.id, [state.id, ...others], title, {
        extras,
        ...(audience !== undefined && { audience }),
        ...(service !== undefined && { service }),
        ...byService,
      }),
      (result) => {
        if (!result.ok) {
          reply.refuse(result.error);
          return;
        }
        const { created, conversation } = result.value;
        if (created && kind === "channel") {
          announceMadeChannel(conversation, [state.id, ...others], ports, ctx);
        } else if (created) announceMade(conversation, ctx);
        reply.ok({ created, conversation: withFirstMembers(conversation) });
        if (created || external_id === undefined) return;
        // [USR4]
        const to = { kind: "conversation" as const, id: conversation.id };
        ctx.ask(to, "named", { external_id }, () => undefined);
      },
      unavailable(reply),
    );
  }

  function createPost(
    state: UserState,
    content: UserOps["create_post"]["body"],
    reply: Reply,
    ctx: Context,
  ): void {
    ctx.run(
      ports.posts.create(state.id, content),
      (made) => {
        if (!made.ok) {
          reply.refuse(made.error);
          return;
        }
        reply.ok(made.value);
        const where = { post_id: made.value.id as PostId, comment_id: null, data: null };
        notifyMentioned(
          ports,
          { by: state.id, text: content.body, where, reaches: () => true },
          ctx,
        );
      },
      unavailable(reply),
    );
  }

  function follow(
    state: UserState,
    { user_id, following }: UserOps["follow"]["body"],
    reply: Reply,
    ctx: Context,
  ): void {
    ctx.run(
      Promise.all([
        ports.graph.follow(state.id, user_id, following),
        ports.graph.displayName(state.id),
      ]),
      ([result, name]) => {
        if (!result.ok) {
          reply.refuse(result.error);
          return;
        }
        reply.ok({ user_id, following });
        if (!result.value.changed) return;
        order(ctx, state.id, "following_changed", { user_id, following });
        // Contacts may see what others do not.
        if (state.isReserved) publishPrivacy(state, true, ctx);
        if (!following) return;
        const notice = {
          type: "follow",
          message: `${shownName(name)} follows you now`,
          actor_id: state.id,
          post_id: null,
          comment_id: null,
          data: null,
        };
        ctx.ask({ kind: "user", id: user_id }, "notify", notice, () => undefined);
      },
      unavailable(reply),
    );
  }

  /** [USR5] */
  function setPrivacy(
    state: UserState,
    { patch }: UserOps["set_privacy"]["body"],
    reply: Reply,
    ctx: Context,
  ): void {
    ctx.run(
      ports.users.setPrivacy(state.id, patch),
      ({ privacy, conversationIds }) => {
        const wasReserved = state.isReserved;
        state.isReserved = isReserved(privacy);
        const isOfStatus = patch.presence !== undefined || patch.last_seen !== undefined;
        if (isOfStatus && (state.isReserved || wasReserved)) {
          order(ctx, state.id, "privacy_changed", {
            was_reserved: wasReserved,
            is_reserved: state.isReserved,
          });
          publishPrivacy(state, wasReserved, ctx);
        }
        reply.ok({ privacy, conversation_ids: conversationIds });
      },
      unavailable(reply),
    );
  }

  /** Those who watch the user may see more or less of the status than before. */
  function publishPrivacy(state: UserState, wasReserved: boolean, ctx: Context): void {
    ctx.publish(topicOf.status(state.id), {
      name: "privacy_changed",
      rev: 0,
      body: JSON.stringify(statusOf(state)),
      note: statusNote({ isReserved: state.isReserved, wasReserved }),
    });
  }

  /** Answered when the pair's conversation knows: from then on it refuses. */
  function block(
    state: UserState,
    { user_id, blocked }: UserOps["block"]["body"],
    reply: Reply,
    ctx: Context,
  ): void {
    ctx.run(
      ports.graph.block(state.id, user_id, blocked),
      (result) => {
        if (!result.ok) {
          reply.refuse(result.error);
          return;
        }
        const { isBlocked, direct } = result.value;
        order(ctx, state.id, "apart_changed", { user_id, is_apart: isBlocked });
        order(ctx, user_id, "apart_changed", { user_id: state.id, is_apart: isBlocked });
        if (direct === null) {
          reply.ok({ user_id, blocked });
          return;
        }
        const to = { kind: "conversation" as const, id: direct };
        ctx.ask(to, "apart_changed", { is_apart: isBlocked }, () => reply.ok({ user_id, blocked }));
      },
      unavailable(reply),
    );
  }

  return {
    kind: "user",
    idleMs: USER_IDLE_MS,

    async activate(id) {
      const seen = await ports.users.lastSeen(id as UserId);
      if (seen === undefined) return null;
      return {
        id: id as UserId,
        presence: ABSENT,
        holdsPush: false,
        lastSeenAt: seen.at,
        isReserved: seen.isReserved,
        inbox: emptyInbox(),
        floods: new Map(),
        profile: noProfileNews(),
      };
    },

    receive(state: UserState, { op, body, reply }: Incoming, ctx: Context): void {
      switch (op as keyof UserOps) {
        case "session_opened":
          step(state, { type: "opened", ...(body as UserOps["session_opened"]["body"]) }, ctx);
          endSurplus(state, ctx);
          break;
        case "sessions_announced":
          step(
            state,
            { type: "announced", ...(body as UserOps["sessions_announced"]["body"]) },
            ctx,
          );
          endSurplus(state, ctx);
          break;
        case "session_closed":
          step(state, { type: "closed", ...(body as UserOps["session_closed"]["body"]) }, ctx);
          break;
        case "set_status":
          step(state, { type: "set", ...(body as UserOps["set_status"]["body"]) }, ctx);
          reply.ok({});
          break;
        case "status":
          reply.ok(statusOf(state));
          break;
        case "has_session": {
          const { sessions, phase } = state.presence;
          const isSure = sessions.size > 0 || phase.is === "steady";
          reply.ok({ has: isSure ? sessions.size > 0 : null });
          break;
        }
        case "push_reach": {
          const reach = pushReach(state.presence);
          const { hold } = body as UserOps["push_reach"]["body"];
          if (hold && reach === "wait") state.holdsPush = true;
          reply.ok({ reach });
          break;
        }
        case "compare_status": {
          const { told, former } = body as UserOps["compare_status"]["body"];
          step(state, { type: "known", status: told, ...(former && { former }) }, ctx);
          const status = statusOf(state);
          reply.ok(status.status === told ? null : status);
          break;
        }
        case "privacy":
          ctx.run(
            ports.users.privacy(state.id),
            (privacy) => reply.ok(privacy),
            unavailable(reply),
          );
          break;
        case "set_privacy":
          setPrivacy(state, body as UserOps["set_privacy"]["body"], reply, ctx);
          break;
        case "profile_changed":
          profileChanged(state.profile, state.id, ports, ctx);
          reply.ok(null);
          break;
        case "create_conversation":
          createConversation(state, body as UserOps["create_conversation"]["body"], reply, ctx);
          break;
        case "create_post":
          createPost(state, body as UserOps["create_post"]["body"], reply, ctx);
          break;
        case "follow":
          follow(state, body as UserOps["follow"]["body"], reply, ctx);
          break;
        case "block":
          block(state, body as UserOps["block"]["body"], reply, ctx);
          break;
        case "notify": {
          const notice = body as UserOps["notify"]["body"];
          notifyGathered(state.floods, state.inbox, state.id, notice, ports, ctx, (result) => {
            if (result.ok) reply.ok(result.value);
            else reply.refuse(result.error);
          });
          break;
        }
        case "post_liked": {
          const { post_id, likers } = body as UserOps["post_liked"]["body"];
          likesChanged(state.inbox, state.id, { type: "liked", post: post_id, likers }, ports, ctx);
          reply.ok(null);
          break;
        }
        case "set_prefs":
          setPrefs(state.id, body as UserOps["set_prefs"]["body"], ports.prefs, reply, ctx);
          break;
        case "message_reacted": {
          const { conversation_id, seq, by } = body as UserOps["message_reacted"]["body"];
          const post = messageWindow(conversation_id, seq);
          const likers = by.map(({ user }) => user);
          likesChanged(state.inbox, state.id, { type: "liked", post, likers }, ports, ctx);
          reply.ok(null);
          break;
        }
        case "read_notifications": {
          const { up_to_seq } = body as UserOps["read_notifications"]["body"];
          ctx.run(
            ports.notifications.markRead(state.id, up_to_seq),
            ({ unreadCount }) => reply.ok({ unread_count: unreadCount }),
            unavailable(reply),
          );
          break;
        }
        default:
          throw new Error(`user actor: unknown op ${op}`);
      }
    },

    onTimer(state, timer, ctx) {
      if (timer === LIKES_TIMER)
        likesChanged(state.inbox, state.id, { type: "time_up" }, ports, ctx);
      else if (timer === FLOODS_TIMER) endFloods(state.floods, state.inbox, state.id, ports, ctx);
      else if (timer === PROFILE_TIMER) publishProfile(state.profile, state.id, ports, ctx);
      else step(state, { type: "time_up" }, ctx);
    },

    onWorkersGone(state, incarnations, ctx, mayBeBack) {
      step(state, { type: mayBeBack ? "workers_doubted" : "workers_gone", incarnations }, ctx);
    },

    isBusy: ({ presence, inbox, floods, profile }) =>
      profile.isWaiting ||
      presence.sessions.size > 0 ||
      presence.phase.is !== "steady" ||
      inbox.likes.size > 0 ||
      floods.size > 0 ||
      inbox.jobs.length > 0,
  };
}

function statusOf(state: UserState): Status {
  return {
    user_id: state.id,
    status: shownStatus(state.presence),
    last_seen_at: state.lastSeenAt,
  };
}

/** An order to the edges where `user` has sessions. */
function order<O extends keyof UserOrders>(
  ctx: Context,
  user: UserId,
  name: O,
  note: UserOrders[O],
): void {
  ctx.publish(topicOf.user(user), { name, rev: 0, body: "{}", note: JSON.stringify(note) });
}

/**
 * The order for a large group names all members once. Each edge derives from it the event that
 * each of its own users receives.
 */
function announceMade(conversation: Conversation, ctx: Context): void {
  const users = conversation.members.map(({ user_id }) => user_id as UserId);
  const nobody = { addedIds: [], removedIds: [] };
  announceJoined(withChangedMembers(conversation, nobody), users, ctx);
}
