/**
 * Events as others see them: in the log that back ends pull, and in what webhooks are sent. The one
 * place where an event's form is made. To add a type, add its row to OUTSIDE_EVENTS; what is written
 * into the log is made by the triggers of storage/sql/functions/event_triggers.sql.
 *
 * The form is that of the Standard Webhooks specification (`type`, `timestamp`, `data`), with the
 * event's id, its key, the conversation's `rev` and the acting user beside it.
 */
import type { Static, TSchema } from "typebox";
import Type from "typebox";
import { SERVER_EVENTS } from "./events.ts";
import { Report } from "./moderation-routes.ts";
import {
  Conversation,
  Count,
  Id,
  Member,
  Message,
  Ordinal,
  Status,
  Time,
  User,
} from "./schemas.ts";
import { Comment, Notification, Post } from "./social.ts";

const OfConversation = Type.Object({ conversation: Conversation });
const OfMember = Type.Object({ conversation_id: Id, member: Member });
const OfMessage = Type.Object({ message: Message });
const OfUser = Type.Object({ user: User });
const OfPost = Type.Object({ post: Post });
const OfComment = Type.Object({ comment: Comment });
const OfStatus = Type.Object({ status: Status });
const OfLikes = Type.Object({
  post_id: Id,
  user_ids: Type.Array(Id, { description: "All whose like came, or went, within the second." }),
  like_count: Count,
});
const OfFollow = Type.Object({
  follow: Type.Object({ follower_id: Id, user_id: Id, following: Type.Boolean() }),
});

/** What `data` holds, by type. */
export const OUTSIDE_EVENTS = {
  "message.created": OfMessage,
  "message.updated": OfMessage,
  "message.deleted": OfMessage,
  "messages.erased": Type.Object({
    conversation_id: Id,
    rev: Ordinal,
    seqs: Type.Array(Ordinal),
  }),
  "reaction.changed": Type.Object({ message: Message, reaction: SERVER_EVENTS.reaction }),
  "conversation.created": OfConversation,
  "conversation.updated": OfConversation,
  "conversation.deleted": OfConversation,
  "member.added": OfMember,
  "member.removed": OfMember,
  "member.updated": OfMember,
  "user.created": OfUser,
  "user.updated": Type.Object({
    user: User,
    suspended: Type.Optional(Type.Literal(false, { description: "Where a suspension has ended." })),
  }),
  "user.suspended": Type.Object({ user: User, suspended: Type.Literal(true) }),
  "user.erased": Type.Object({ user: Type.Object({ id: Id }) }),
  "user.online": OfStatus,
  "user.offline": OfStatus,
  "post.created": OfPost,
  "post.updated": OfPost,
  "post.deleted": OfPost,
  "comment.created": OfComment,
  "comment.deleted": OfComment,
  "like.added": OfLikes,
  "like.removed": OfLikes,
  "follow.added": OfFollow,
  "follow.removed": OfFollow,
  "notification.created": Type.Object({ notification: Notification }),
  "report.created": Type.Object({ report: Report }),
  "message.unread": Type.Object({
    user: User,
    conversation: Conversation,
    messages: Type.Array(Message, { maxItems: 10, description: "The newest ones, by rising seq." }),
    unread_count: Count,
  }),
  "webhook.test": Type.Object({ webhook_id: Id }),
} as const satisfies Record<string, TSchema>;

export type OutsideEventType = keyof typeof OUTSIDE_EVENTS;
export const OUTSIDE_EVENT_TYPES = Object.keys(OUTSIDE_EVENTS) as OutsideEventType[];

/**
 * [EVP1] How the log names the presence of users who do not show it to everybody. Only a service with the
 * scope `presence` is sent it, under the name that the contract has.
 */
const HIDDEN: ReadonlyMap<string, string> = new Map([
  ["user.online", "hidden.online"],
  ["user.offline", "hidden.offline"],
]);
const SHOWN: ReadonlyMap<string, string> = new Map([...HIDDEN].map(([to, from]) => [from, to]));

/** The types that a service named, with those that it may also be sent. */
export function withHidden(types: readonly string[]): string[] {
  return types.flatMap((type) => {
    const hidden = HIDDEN.get(type);
    return hidden === undefined ? [type] : [type, hidden];
  });
}

export const withoutHidden = (types: readonly string[]): string[] =>
  types.filter((type) => !SHOWN.has(type));

/** The contract's name of a type of the log. */
export const shownType = (type: string): string => SHOWN.get(type) ?? type;

/** These are meant only where they are named in full. */
const NAMED_IN_FULL: ReadonlySet<string> = new Set([
  ...HIDDEN.keys(),
  ...SHOWN.keys(),
  "webhook.test",
]);

export const isPresenceType = (name: string): boolean =>
  name === "user.online" || name === "user.offline";

/** A type, or a pattern such as `message.*` or `*`. */
export const TypePattern = Type.String({
  pattern: "^(\\*|[a-z_]{1,32}\\.(\\*|[a-z_]{1,32}))$",
  description: "A type, or a pattern: `message.*`, `*`.",
  examples: ["message.*"],
});

/** The first of the patterns that no event has; undefined: there is none. */
export function unknownPattern(patterns: readonly string[]): string | undefined {
  return patterns.find((pattern) => !OUTSIDE_EVENT_TYPES.some((type) => matches(pattern, type)));
}

function matches(pattern: string, type: string): boolean {
  if (pattern === type) return true;
  if (NAMED_IN_FULL.has(type)) return false;
  return pattern === "*" || (pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1)));
}

export function isWanted(type: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matches(pattern, type));
}

export const ExternalIds = Type.Optional(
  Type.Object(
    {},
    {
      additionalProperties: Type.String(),
      description:
        "The application's own names of the users and conversations that it names, by key:" +
        ' `{"user:7": "ann"}`.',
    },
  ),
);

const envelope = {
  id: Type.String({ description: "The same on every retry." }),
  timestamp: Time,
  key: Type.String({
    description: "`conversation:42`, `user:7` or `post:9`: events of one key are in order.",
  }),
  rev: Type.Optional(Ordinal),
  actor_id: Type.Optional(Id),
  service: Type.Optional(Type.String({ description: "The service that did it." })),
  external_ids: ExternalIds,
};

/** Each type with its data, for the published documents. */
export const OUTSIDE_EVENT_SCHEMAS: Readonly<Record<string, TSchema>> = Object.fromEntries(
  Object.entries(OUTSIDE_EVENTS).map(([type, data]) => [
    type,
    Type.Object({ ...envelope, type: Type.Literal(type), data }),
  ]),
);

export const OutsideEvent = Type.Object({
  ...envelope,
  type: Type.String({ description: "Which decides what `data` holds." }),
  data: Type.Unknown(),
});
export type OutsideEvent = Static<typeof OutsideEvent>;

export interface EventFacts {
  id: string;
  type: string;
  /** ISO time. */
  at: string;
  key: string;
  rev?: number | undefined;
  actor?: string | undefined;
  service?: string | undefined;
  data: unknown;
}

export function outsideEvent({
  id,
  type,
  at,
  key,
  rev,
  actor,
  service,
  data,
}: EventFacts): OutsideEvent {
  return {
    id,
    type,
    timestamp: at,
    key,
    ...(rev !== undefined && { rev }),
    ...(actor !== undefined && { actor_id: actor }),
    ...(service !== undefined && { service }),
    data,
  };
}

const USER_KEYS: ReadonlySet<string> = new Set([
  ...["sender_id", "user_id", "author_id", "owner_id", "actor_id", "follower_id", "pinned_by"],
  ...["user_ids", "mentions", "last_user_ids"],
]);

/** The users and conversations that an event names, as keys: `user:7`. */
export function namesIn(event: OutsideEvent): Set<string> {
  const names = new Set<string>();
  if (/^(user|conversation):/.test(event.key)) names.add(event.key);
  if (event.actor_id !== undefined) names.add(`user:${event.actor_id}`);
  visit(event.data, "");
  return names;

  function visit(value: unknown, at: string): void {
    if (typeof value === "string") {
      if (USER_KEYS.has(at)) names.add(`user:${value}`);
      else if (at === "conversation_id") names.add(`conversation:${value}`);
    } else if (Array.isArray(value)) {
      for (const each of value) visit(each, at);
    } else if (typeof value === "object" && value !== null) {
      for (const [key, each] of Object.entries(value)) {
        // What is the application's own names nothing of Troupe's.
        if (key !== "data" || at === "") visit(each, key);
      }
      if ((at === "user" || at === "conversation") && "id" in value) {
        if (typeof value.id === "string") names.add(`${at}:${value.id}`);
      }
    }
  }
}
