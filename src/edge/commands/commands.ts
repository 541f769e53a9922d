/**
 * What a client can ask over a socket: one handler an event, called with a validated payload.
 * Truth is where the actor is, so a handler passes on and answers; `sync` reads storage.
 *
 * Every handler answers exactly once, through `ack`.
 */
import type { Clock } from "../../base/clock.ts";
import type { Queries } from "../../ports/edge.ts";
import type { ConversationOps } from "../../protocol/actor-ops.ts";
import { type ErrorObject, REFUSALS, refused } from "../../protocol/errors.ts";
import type { ConversationId, PostId, UserId } from "../../protocol/ids.ts";
import { contentOf, editOf, editRefusal, sendRefusal } from "../../protocol/message-content.ts";
import { judge } from "../../protocol/policy.ts";
import { SYNC_PREFS_MAX } from "../../protocol/prefs.ts";
import { reactionKeyOf } from "../../protocol/reaction-keys.ts";
import { asConversationId, type Message } from "../../protocol/schemas.ts";
import { WATCHED_POSTS_MAX, WATCHED_USERS_MAX } from "../../protocol/session-bounds.ts";
import type { PostCounts } from "../../protocol/social.ts";
import { isoOf } from "../../protocol/time.ts";
import { topicOf } from "../../protocol/topics.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import type { Auth } from "../auth/auth.ts";
import { type PageTurns, TOO_MANY_READS } from "../limits/turns.ts";
import type { Activity } from "../live/activity.ts";
import type { Channels } from "../live/channels.ts";
import type { Streams } from "../live/conversation-streams.ts";
import { reactionKey } from "../live/event-texts.ts";
import type { PostWatches } from "../live/post-watches.ts";
import type { Watches } from "../live/presence-watches.ts";
import type { ThreadStreams } from "../live/thread-streams.ts";
import type { UserStream } from "../live/user-stream.ts";
import type { Session } from "../session/session.ts";
import type { AckSink } from "./ack-sink.ts";
import { type ActorCommandDeps, createActorCommands, syncActors } from "./actors.ts";
import { awaited, isAnswered, isEditedTo } from "./awaited.ts";
import type { Drafts } from "./drafts.ts";
import type { Commands } from "./handler.ts";
import { createJoinCommands } from "./joins.ts";
import { createPrefsCommands } from "./prefs.ts";
import { Signals } from "./signals.ts";
import { readStreams } from "./streams.ts";

const SYNC_NOTIFICATIONS_MAX = 200;
const TOO_MANY_USERS = refused(
  "invalid_payload",
  `A session watches at most ${WATCHED_USERS_MAX} users.`,
);
const TOO_MANY_POSTS = refused(
  "invalid_payload",
  `A session watches at most ${WATCHED_POSTS_MAX} posts.`,
);

type Claims = NonNullable<Session["claims"]>;

export interface CommandDeps extends ActorCommandDeps {
  incarnation: string;
  gateway: Gateway;
  streams: Streams;
  activity: Activity;
  watches: Watches;
  postWatches: PostWatches;
  clock: Clock;
  prefs: UserStream;
  drafts: Drafts;
  threads: Pick<ThreadStreams, "entered">;
  channels: Pick<Channels, "entered" | "has">;
  queries: Pick<
    Queries,
    "sync" | "totals" | "standing" | "postCounts" | "notificationsAfter" | "prefs" | "prefsAfter"
  >;
  auth: Pick<Auth, "verify">;
  /** Joins and `sync` of one user take turns. */
  pages: PageTurns;
  /** The session's token was replaced: its expiry is another now. */
  onTokenRefreshed(session: Session): void;
}

export function createCommands(deps: CommandDeps): Commands {
  const { incarnation, gateway, streams, activity, watches, postWatches, pages } = deps;
  const signals = new Signals(gateway, deps.clock);
  /** Names each call of a socket that an event may answer. */
  let asks = 0;

  /**
   * Asks the conversation's actor. The answer of a change waits for the events before it, as it
   * stands for the event of its own rev.
   */
  function askConversation<O extends keyof ConversationOps>(
    session: Session,
    conversation: string,
    op: O,
    body: Omit<ConversationOps[O]["body"], "user" | "session">,
    ack: AckSink,
  ): void {
    const text = JSON.stringify({ user: session.user, session: session.id, ...body });
    gateway.askText(`conversation:${conversation}`, op, text, 0, (ok, answer, rev) => {
      if (!ok) {
        ack.refuse(JSON.parse(answer) as ErrorObject);
        return;
      }
      if (rev === 0) {
        ack.ok(answer);
        return;
      }
      streams.ack(session, asConversationId(conversation), rev, () => {
        const isFirst = !isAnswered(ack);
        ack.ok(answer);
        return isFirst;
      });
    });
  }

  /** For what hooks may be asked about. */
  const withClaims = <B extends object>({ claims }: Session, body: B): B & { claims?: Claims } =>
    claims === null ? body : { ...body, claims };

  return {
    ...createPrefsCommands(deps),
    ...createActorCommands(deps),
    ...createJoinCommands(deps, askConversation),

    send_message(session, { conversation_id, client_id, reply_to_seq, ...asked }, ack) {
      const refusal = sendRefusal(asked, "payload");
      if (refusal !== null) {
        ack.refuse(refusal);
        return;
      }
      const id = asConversationId(conversation_id);
      session.typingIn.delete(id);
      const content = contentOf(asked);
      const message = {
        client_id,
        body: asked.body ?? "",
        reply_to_seq: reply_to_seq ?? null,
        ...(content && { content }),
      };
      const key = `${conversation_id} c${client_id}`;
      const sent = deps.drafts.removedBy(session, id, ack);
      const sink = awaited(session, key, null, acting(session, conversation_id, sent));
      askConversation(session, conversation_id, "send", withClaims(session, message), sink);
    },

    typing(session, { conversation_id, is_typing }, ack) {
      const id = asConversationId(conversation_id);
      if (is_typing) session.typingIn.add(id);
      else session.typingIn.delete(id);
      askConversation(session, conversation_id, "typing", { worker: incarnation, is_typing }, ack);
    },

    signal: (session, payload, ack) => signals.pass(session, payload, ack),

    mark_delivered(session, { conversation_id, seq }, ack) {
      askConversation(session, conversation_id, "mark", { seq, read: false }, ack);
    },

    mark_read(session, { conversation_id, seq }, ack) {
      const sink = acting(session, conversation_id, ack);
      askConversation(session, conversation_id, "mark", { seq, read: true }, sink);
    },

    append_message(session, { conversation_id, seq, offset, text }, ack) {
      const appended = withClaims(session, { seq, offset, text });
      askConversation(session, conversation_id, "append", appended, ack);
    },

    end_message(session, { conversation_id, seq, state, data }, ack) {
      const key = `${conversation_id} s${seq}`;
      const isEnded = ({ stream }: Message) => stream?.state === state;
      const sink = awaited(session, key, isEnded, ack);
      const end = { seq, state, ...(data !== undefined && { data }) };
      askConversation(session, conversation_id, "end", end, sink);
    },

    edit_message(session, { conversation_id, seq, ...edited }, ack) {
      const refusal = editRefusal(edited, "payload");
      if (refusal !== null) {
        ack.refuse(refusal);
        return;
      }
      const key = `${conversation_id} s${seq}`;
      const sink = awaited(session, key, (message) => isEditedTo(message, edited), ack);
      const edit = withClaims(session, { seq, ...editOf(edited) });
      askConversation(session, conversation_id, "edit", edit, sink);
    },

    delete_message(session, { conversation_id, seq }, ack) {
      const key = `${conversation_id} s${seq}`;
      const sink = awaited(session, key, ({ deleted_at }) => deleted_at !== null, ack);
      askConversation(session, conversation_id, "delete", { seq }, sink);
    },

    react(session, { conversation_id, seq, key, on, only }, ack) {
      const ask = String(++asks);
      const reaction = {
        seq,
        key: normalised(key),
        on,
        ask,
        ...(only === true && { only: true as const }),
      };
      const sink = awaited(session, reactionKey(conversation_id, ask), null, ack, (text) => text);
      askConversation(session, conversation_id, "react", reaction, sink);
    },

    async sync(
      session,
      {
        conversations,
        complete,
        notifications_after_seq,
        prefs_after_rev,
        totals: asksTotals,
        actors: watched = [],
      },
      ack,
    ) {
      const after = new Map<ConversationId, number>();
      for (const { conversation_id, after_rev } of conversations) {
        after.set(asConversationId(conversation_id), after_rev);
      }
      const reading = pages.run(session.user, () =>
        Promise.all([
          deps.queries.sync({
            userId: session.user,
            after,
            complete: complete !== false,
            withoutThreads: session.contract === "1",
          }),
          notifications_after_seq === undefined
            ? []
            : deps.queries.notificationsAfter(
                session.user,
                notifications_after_seq,
                SYNC_NOTIFICATIONS_MAX + 1,
              ),
          prefs_after_rev === undefined || session.contract === "1"
            ? null
            : deps.queries.prefsAfter(session.user, prefs_after_rev, SYNC_PREFS_MAX + 1),
          asksTotals ? deps.queries.totals(session.user) : null,
          watched.length === 0 ? [] : syncActors(deps, session, watched),
        ]),
      );
      if (reading === null) {
        ack.refuse(TOO_MANY_READS);
        return;
      }
      const [{ streaming, ...answer }, notifications, prefs, totals, actors] = await reading;
      if (actors === null) {
        ack.refuse(REFUSALS.unavailable.error);
        return;
      }
      const streams =
        streaming === undefined || session.contract === "1"
          ? []
          : await readStreams(gateway, session.user, streaming, answer);
      const isCut = notifications.length > SYNC_NOTIFICATIONS_MAX;
      ack.ok(
        JSON.stringify({
          ...answer,
          notifications: notifications.slice(0, SYNC_NOTIFICATIONS_MAX),
          ...(prefs !== null && {
            prefs: prefs.slice(0, SYNC_PREFS_MAX).map((changed) => changed.prefs),
          }),
          ...(totals !== null && { totals }),
          ...(watched.length > 0 && { actors }),
          ...(streams.length > 0 && { streams }),
          has_more: answer.has_more || isCut || (prefs?.length ?? 0) > SYNC_PREFS_MAX,
        }),
      );
    },

    async watch_presence(session, { user_ids }, ack) {
      const users = [...new Set(user_ids)] as UserId[];
      if (!(await watches.ask(session, users))) {
        ack.refuse(TOO_MANY_USERS.error);
        return;
      }
      await watches.read(session, users, (statuses) => ack.ok(JSON.stringify({ statuses })));
    },

    async unwatch_presence(session, { user_ids }, ack) {
      const users = [...new Set(user_ids)] as UserId[];
      watches.removeUsers(session, users);
      await watches.read(session, users, (statuses) => ack.ok(JSON.stringify({ statuses })));
    },

    async watch_posts(session, { post_ids }, ack) {
      const ids = await existingPosts(session, [...new Set(post_ids)] as PostId[]);
      await postWatches.listening(ids, async ({ confirmed, heard }) => {
        await confirmed;
        const counts = await deps.queries.postCounts(session.user, ids);
        if (session.isEnded) return;
        const found = counts.map(({ post_id }) => post_id as PostId);
        if (!postWatches.hasRoom(session, found)) {
          ack.refuse(TOO_MANY_POSTS.error);
          return;
        }
        ack.ok(JSON.stringify({ posts: counts.map(publicCounts) }));
        for (const { post_id, author_id } of counts) {
          const post = post_id as PostId;
          postWatches.add(session, post, author_id as UserId);
          if (author_id === session.user) continue;
          for (const topic of [topicOf.likes(post), topicOf.comments(post)]) {
            const packet = heard.get(topic);
            if (packet !== undefined) session.send(packet, topic);
          }
        }
      });
    },

    async unwatch_posts(session, { post_ids }, ack) {
      const ids = [...new Set(post_ids)] as PostId[];
      postWatches.removePosts(session, ids);
      const counts = await deps.queries.postCounts(session.user, ids);
      ack.ok(JSON.stringify({ posts: counts.map(publicCounts) }));
    },

    set_status(session, { status }, ack) {
      session.status = status;
      const body = JSON.stringify({ session: session.id, worker: incarnation, status });
      gateway.askText(`user:${session.user}`, "set_status", body, 0, (ok, answer) => {
        if (ok) ack.ok("{}");
        else ack.refuse(JSON.parse(answer) as ErrorObject);
      });
    },

    async refresh_token(session, { token }, ack) {
      const verified = await deps.auth.verify(token, "refresh_token");
      if (!verified.ok) {
        ack.refuse(verified.error);
        return;
      }
      const { userId, family, expiresAtMs, endsAtMs, issuedAtMs, claims } = verified.value;
      const refusal = judge("replace_token", { self: userId === session.user });
      if (refusal !== null) {
        ack.refuse(refusal);
        return;
      }
      session.family = family;
      session.expiresAtMs = expiresAtMs;
      session.endsAtMs = endsAtMs;
      session.issuedAtMs = issuedAtMs;
      session.claims = claims;
      session.isExpiryAnnounced = false;
      ack.ok(JSON.stringify({ expires_at: isoOf(expiresAtMs) }));
      deps.onTokenRefreshed(session);
    },
  };

  /**
   * The ack of a change by which its user is active in the conversation: if that is not live in
   * this session, it becomes so (see activity.ts).
   */
  function acting(session: Session, conversation_id: string, ack: AckSink): AckSink {
    return {
      ok(answer) {
        ack.ok(answer);
        const id = asConversationId(conversation_id);
        if (streams.movesUp(session, id) || !session.isPartial || session.left.has(id)) return;
        // Where the user is no member any more it does not become live.
        deps.queries.standing(session.user, id).then(
          (standing) =>
            standing?.inChannel === undefined &&
            standing &&
            activity.acted(session, { user: session.user, ...standing }),
          // The next round of Activity finds it.
          () => undefined,
        );
      },
      refuse: (error) => ack.refuse(error),
    };
  }

  /** Without those that are not there, whose topics would be subscribed to for nothing. */
  async function existingPosts(session: Session, ids: readonly PostId[]): Promise<PostId[]> {
    const unwatched = ids.filter((id) => !postWatches.isWatched(id));
    const counts = await deps.queries.postCounts(session.user, unwatched);
    const found = new Set<string>(counts.map(({ post_id }) => post_id));
    const missing = new Set(unwatched.filter((id) => !found.has(id)));
    return ids.filter((id) => !missing.has(id));
  }
}

/** The schema has let only keys through. */
const normalised = (key: string) => reactionKeyOf(key) ?? key;

function publicCounts({ post_id, like_count, comment_count }: PostCounts): PostCounts {
  return { post_id, like_count, comment_count };
}
