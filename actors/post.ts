/**
 * The post actor: absorbs storms of likes and comments on one post. Storage gathers them into
 * multi-row statements; watchers receive an update at most every `POST_UPDATE_EVERY_MS`, and always
 * the last value; the author's user actor receives new likers in batches.
 */
import type { PostOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { PostId, UserId } from "../src/protocol/ids.ts";
import { shownName } from "../src/protocol/isolated.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Behaviour, Context, Incoming, Reply } from "./behaviour.ts";
import { LIKERS_WAITING_MAX, POST_IDLE_MS, POST_UPDATE_EVERY_MS, RETRY_MS } from "./limits.ts";
import { notifyMentioned } from "./mentions.ts";
import type { PostRecord, SocialPorts } from "./social-ports.ts";
import { QUIET, stepThrottle, type Throttle } from "./throttle.ts";

type Body<O extends keyof PostOps> = PostOps[O]["body"];
type Count = "like" | "comment";

export interface PostState extends PostRecord {
  updates: Record<Count, Throttle>;
  /** New likers of whom the author has not been notified. */
  likers: Set<UserId>;
  isTellingAuthor: boolean;
}

const LIKERS_TIMER = "likers";

export function postBehaviour(ports: SocialPorts): Behaviour<PostState> {
  const store = ports.posts;
  const unavailable = (reply: Reply) => () => reply.refuse(REFUSALS.unavailable.error);

  function like(state: PostState, { user, liked }: Body<"like">, reply: Reply, ctx: Context): void {
    ctx.run(
      store.like({ postId: state.id, userId: user, liked }),
      (result) => {
        if (!result.ok) {
          reply.refuse(result.error);
          return;
        }
        const { likeCount, changed } = result.value;
        reply.ok({ post_id: state.id, liked, like_count: likeCount });
        if (!changed) return;
        state.likeCount = likeCount;
        update(state, "like", "changed", ctx);
        if (user === state.authorId) return;
        if (!liked) state.likers.delete(user);
        else if (state.likers.size < LIKERS_WAITING_MAX) state.likers.add(user);
        notifyAuthor(state, ctx);
      },
      unavailable(reply),
    );
  }

  function comment(
    state: PostState,
    { user, ...content }: Body<"comment">,
    reply: Reply,
    ctx: Context,
  ): void {
    ctx.run(
      store.comment(state.id, user, content),
      (result) => {
        if (!result.ok) {
          reply.refuse(result.error);
          return;
        }
        const made = result.value.comment;
        reply.ok(made);
        state.commentCount = result.value.commentCount;
        update(state, "comment", "changed", ctx);
        if (user !== state.authorId) tellOfComment(state, user, made.id, ctx);
        const where = { post_id: state.id, comment_id: made.id, data: null };
        // The author is already notified of the comment.
        const reaches = (mentioned: UserId) => mentioned !== state.authorId;
        notifyMentioned(ports, { by: user, text: content.body, where, reaches }, ctx);
      },
      unavailable(reply),
    );
  }

  function deleteComment(
    state: PostState,
    { user, comment_id }: Body<"delete_comment">,
    reply: Reply,
    ctx: Context,
  ): void {
    ctx.run(
      store.removeComment(state.id, comment_id, user),
      (result) => {
        if (!result.ok) {
          reply.refuse(result.error);
          return;
        }
        reply.ok({});
        state.commentCount = result.value.commentCount;
        update(state, "comment", "changed", ctx);
      },
      unavailable(reply),
    );
  }

  function edit(
    state: PostState,
    { user, ...change }: Body<"edit">,
    reply: Reply,
    ctx: Context,
  ): void {
    ctx.run(
      store.edit(state.id, user, change),
      (result) => {
        if (result.ok) reply.ok(result.value);
        else reply.refuse(result.error);
      },
      unavailable(reply),
    );
  }

  function tellOfComment(state: PostState, user: UserId, commentId: string, ctx: Context): void {
    ctx.run(
      ports.graph.displayName(user),
      (name) => {
        const notice = {
          type: "comment",
          message: `${shownName(name)} commented on your post`,
          actor_id: user,
          post_id: state.id,
          comment_id: commentId,
          data: null,
        };
        ctx.ask({ kind: "user", id: state.authorId }, "notify", notice, () => undefined);
      },
      () => undefined,
    );
  }

  /** One ask at a time; users who like meanwhile are in the next one. */
  function notifyAuthor(state: PostState, ctx: Context): void {
    if (state.isTellingAuthor || state.likers.size === 0) return;
    state.isTellingAuthor = true;
    const likers = [...state.likers];
    state.likers.clear();
    const to = { kind: "user" as const, id: state.authorId };
    ctx.ask(to, "post_liked", { post_id: state.id, likers }, (answer) => {
      state.isTellingAuthor = false;
      if (answer.ok) {
        notifyAuthor(state, ctx);
        return;
      }
      for (const liker of likers) state.likers.add(liker);
      ctx.after(RETRY_MS, LIKERS_TIMER);
    });
  }

  return {
    kind: "post",
    idleMs: POST_IDLE_MS,

    async activate(id) {
      const post = await store.load(id as PostId);
      if (post === null) return null;
      return {
        ...post,
        updates: { like: QUIET, comment: QUIET },
        likers: new Set(),
        isTellingAuthor: false,
      };
    },

    receive(state: PostState, { op, body, reply }: Incoming, ctx: Context): void {
      switch (op as keyof PostOps) {
        case "like":
          like(state, body as Body<"like">, reply, ctx);
          break;
        case "comment":
          comment(state, body as Body<"comment">, reply, ctx);
          break;
        case "delete_comment":
          deleteComment(state, body as Body<"delete_comment">, reply, ctx);
          break;
        case "edit":
          edit(state, body as Body<"edit">, reply, ctx);
          break;
        case "delete":
          ctx.run(
            store.remove(state.id, (body as Body<"delete">).user),
            (result) => {
              if (!result.ok) {
                reply.refuse(result.error);
                return;
              }
              reply.ok({});
              ctx.passivate();
            },
            unavailable(reply),
          );
          break;
        default:
          throw new Error(`post actor: unknown op ${op}`);
      }
    },

    onTimer(state, timer, ctx) {
      if (timer === LIKERS_TIMER) notifyAuthor(state, ctx);
      else update(state, timer as Count, "time_up", ctx);
    },

    onWorkersGone: () => undefined,

    isBusy: (state) =>
      state.likers.size > 0 || state.updates.like.isWaiting || state.updates.comment.isWaiting,
  };
}

/**
 * Watchers receive updates on the post's topic, the author's sessions on their own topic.
 */
function update(state: PostState, count: Count, event: "changed" | "time_up", ctx: Context): void {
  const step = stepThrottle(state.updates[count], event, ctx.monotonicMs, POST_UPDATE_EVERY_MS);
  state.updates[count] = step.throttle;
  if (step.wakeInMs !== null) ctx.after(step.wakeInMs, count);
  if (!step.tell) return;
  const value = count === "like" ? state.likeCount : state.commentCount;
  const name = `${count}_update`;
  const body = `{"post_id":"${state.id}","${count}_count":${value}}`;
  const topic = count === "like" ? topicOf.likes(state.id) : topicOf.comments(state.id);
  ctx.publish(topic, { name, body, rev: 0, except: state.authorId });
  ctx.publish(topicOf.user(state.authorId), { name, body, rev: 0 });
}
