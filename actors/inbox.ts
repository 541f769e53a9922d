/**
 * One user's notifications in the user actor: written one after another, so that sessions receive
 * them by rising `seq`, and published once committed.
 */
import type { Notice } from "../src/protocol/actor-ops.ts";
import { type ErrorObject, REFUSALS, type Result } from "../src/protocol/errors.ts";
import type { ConversationId, PostId, UserId } from "../src/protocol/ids.ts";
import type { Notification } from "../src/protocol/social.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Context } from "./behaviour.ts";
import { NOTIFICATIONS_WAITING_MAX } from "./limits.ts";
import {
  crowdSentence,
  type LikesEvent,
  type LikesWindows,
  NO_LIKES,
  stepLikes,
} from "./notices.ts";
import type { NewNotification, SocialPorts } from "./social-ports.ts";

export interface Inbox {
  likes: LikesWindows;
  /** The notification of each open window of likes or reactions; filled once it is written. */
  likeNotifications: Map<string, Written>;
  /** Writes that wait, in order; the first one is under way. */
  jobs: Job[];
}

/** The notification of a window's first like; null until it is written, or if none was made. */
interface Written {
  notification: Notification | null;
}

interface Job {
  write(): Promise<Result<Notification | null>>;
  done(result: Result<Notification | null>): void;
}

export const LIKES_TIMER = "likes";

export function emptyInbox(): Inbox {
  return { likes: NO_LIKES, likeNotifications: new Map(), jobs: [] };
}

/** `done` receives the committed notification, or null if none was created. */
export function notify(
  inbox: Inbox,
  user: UserId,
  notice: Notice,
  ports: SocialPorts,
  ctx: Context,
  done: (result: Result<Notification | null>) => void,
): void {
  const write = () =>
    ports.notifications.add({
      userId: user,
      type: notice.type,
      message: notice.message,
      actorId: notice.actor_id,
      postId: notice.post_id,
      commentId: notice.comment_id,
      data: notice.data,
      ...(notice.conversation_id !== undefined && { conversationId: notice.conversation_id }),
    });
  enqueue(inbox, user, { write, done }, ctx);
}

/** The post or message that is liked or reacted to, as its window and notification name it. */
interface Subject {
  key: string;
  type: "like" | "reaction";
  did: string;
  postId: PostId | null;
  data: { conversation_id: ConversationId; seq: number } | null;
}

/** The key of a window: a post's id, or this of a message. */
export function messageWindow(conversation: ConversationId, seq: number): string {
  return `${conversation}/${seq}`;
}

function subjectOf(key: string): Subject {
  const [id = "", seq] = key.split("/");
  if (seq === undefined) {
    return { key, type: "like", did: "liked your post", postId: id as PostId, data: null };
  }
  const data = { conversation_id: id as ConversationId, seq: Number(seq) };
  return { key, type: "reaction", did: "reacted to your message", postId: null, data };
}

/** Likes of one of the user's posts, reactions to one of their messages, or the end of a window. */
export function likesChanged(
  inbox: Inbox,
  user: UserId,
  event: LikesEvent,
  ports: SocialPorts,
  ctx: Context,
): void {
  const step = stepLikes(inbox.likes, event, ctx.monotonicMs);
  inbox.likes = step.windows;
  if (step.wakeInMs !== null) ctx.after(step.wakeInMs, LIKES_TIMER);
  for (const { post, likers } of step.rest) {
    countRest(inbox, user, subjectOf(post), likers, ports, ctx);
  }
  for (const { post, liker } of step.first) {
    addFirst(inbox, user, subjectOf(post), liker, ports, ctx);
  }
  for (const post of inbox.likeNotifications.keys()) {
    if (!step.windows.has(post)) inbox.likeNotifications.delete(post);
  }
}

function addFirst(
  inbox: Inbox,
  user: UserId,
  subject: Subject,
  liker: UserId,
  ports: SocialPorts,
  ctx: Context,
): void {
  // Own slot: the previous window may not be counted yet.
  const written: Written = { notification: null };
  inbox.likeNotifications.set(subject.key, written);
  const { did } = subject;
  const write = async () => {
    const name = await ports.graph.displayName(liker);
    return ports.notifications.add(firstOf(subject, user, liker, crowdSentence(name, 1, did)));
  };
  const done = (result: Result<Notification | null>) => {
    if (result.ok) written.notification = result.value;
  };
  enqueue(inbox, user, { write, done }, ctx);
}

function firstOf(
  { type, postId, data }: Subject,
  userId: UserId,
  actorId: UserId,
  message: string,
): NewNotification {
  const news = { userId, type, message, actorId, postId, commentId: null, data };
  return data === null ? news : { ...news, conversationId: data.conversation_id };
}

function countRest(
  inbox: Inbox,
  user: UserId,
  subject: Subject,
  likers: readonly UserId[],
  ports: SocialPorts,
  ctx: Context,
): void {
  const written = inbox.likeNotifications.get(subject.key);
  const { did } = subject;
  const write = async (): Promise<Result<Notification | null>> => {
    // Read now, when the first like's notification has been written or will never be.
    const grown = written?.notification ?? null;
    const last = likers.at(-1)!;
    const name = await ports.graph.displayName(last);
    if (grown === null) {
      const message = crowdSentence(name, likers.length, did);
      const made = await ports.notifications.add(firstOf(subject, user, last, message));
      if (!made.ok || made.value === null || likers.length === 1) return made;
      return ports.notifications.grow(user, made.value.id, likers.length - 1, last, message);
    }
    const count = grown.count + likers.length;
    const store = ports.notifications;
    const words = crowdSentence(name, count, did);
    const result = await store.grow(user, grown.id, likers.length, last, words);
    if (result.ok || result.error.code !== "not_found") return result;
    // The last liker has been blocked meanwhile: counted, but not named.
    return store.grow(user, grown.id, likers.length, null, crowdSentence(null, count, did));
  };
  enqueue(inbox, user, { write, done: () => undefined }, ctx);
}

export function enqueue(inbox: Inbox, user: UserId, job: Job, ctx: Context): void {
  if (inbox.jobs.length >= NOTIFICATIONS_WAITING_MAX) {
    job.done(REFUSALS.unavailable);
    return;
  }
  inbox.jobs.push(job);
  if (inbox.jobs.length === 1) next(inbox, user, ctx);
}

function next(inbox: Inbox, user: UserId, ctx: Context): void {
  const job = inbox.jobs[0];
  if (job === undefined) return;
  const settle = (result: Result<Notification | null>) => {
    inbox.jobs.shift();
    if (result.ok && result.value !== null) {
      ctx.publish(topicOf.user(user), {
        name: "notification",
        rev: result.value.seq,
        body: JSON.stringify(result.value),
      });
    }
    job.done(result);
    next(inbox, user, ctx);
  };
  ctx.run(job.write(), settle, () => settle({ ok: false, error: unavailable }));
}

const unavailable: ErrorObject = REFUSALS.unavailable.error;
