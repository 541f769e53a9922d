/**
 * What actors can be asked and told: the vocabulary that edges (callers) and behaviours
 * (callees) share. Bodies travel as JSON inside frames; they are made by our own code, so
 * they are typed here and not validated again.
 */
import type { ConversationId, SessionId, UserId } from "./ids.ts";
import type { Conversation, Cursors, Message, PresenceStatus, Status } from "./schemas.ts";

export type ActorKind = "user" | "conversation" | "post";

export interface ActorAddress {
  kind: ActorKind;
  id: string;
}

/** A session as its edge announces it. `worker` is the life id of the edge's worker. */
export interface SessionNote {
  session: SessionId;
  status: Exclude<PresenceStatus, "offline">;
}

export interface UserOps {
  /** A session has just begun. */
  session_opened: { body: SessionNote & { worker: string }; answer: null };
  /** After the actor moved here: all sessions of this user on one worker, as they are now. */
  sessions_announced: { body: { worker: string; sessions: SessionNote[] }; answer: null };
  session_closed: { body: { session: SessionId }; answer: null };
  set_status: { body: SessionNote & { worker: string }; answer: Record<string, never> };
  /** `known`: what the asking edge last heard, so that a moved actor can settle from it. */
  status: { body: { known?: PresenceStatus }; answer: Status };
  create_conversation: {
    body: { member_ids: UserId[]; title: string | null };
    answer: { created: boolean; conversation: Conversation };
  };
}

/** Who acts: the user, and the socket it came by ("" over HTTP). */
export interface Acting {
  user: UserId;
  session: SessionId | "";
}

export interface ConversationOps {
  send: {
    body: Acting & { client_id: string; body: string; reply_to_seq: number | null };
    answer: { message: Message; duplicate?: true };
  };
  edit: { body: Acting & { seq: number; body: string }; answer: { message: Message } };
  delete: { body: Acting & { seq: number }; answer: { message: Message } };
  mark: { body: Acting & { seq: number; read: boolean }; answer: Cursors };
  typing: { body: Acting & { worker: string; is_typing: boolean }; answer: Record<string, never> };
  /** That session ended while its user typed here. */
  session_closed: { body: { session: SessionId }; answer: null };
  join: {
    body: Acting & { after_rev: number | null; limit: number };
    answer: {
      conversation: Conversation;
      messages: Message[];
      has_more: boolean;
      typing: UserId[];
    };
  };
  retitle: { body: Acting & { title: string }; answer: { conversation: Conversation } };
  add_members: { body: Acting & { user_ids: UserId[] }; answer: { conversation: Conversation } };
  remove_member: { body: Acting & { user_id: UserId }; answer: Record<string, never> };
}

/** Posts come with the social graph; the kind is reserved so that placement knows it. */
export type PostOps = Record<never, { body: unknown; answer: unknown }>;

export interface ActorOps {
  user: UserOps;
  conversation: ConversationOps;
  post: PostOps;
}

export type Op<K extends ActorKind> = keyof ActorOps[K] & string;
export type OpBody<K extends ActorKind, O extends Op<K>> = ActorOps[K][O] extends { body: infer B }
  ? B
  : never;
export type OpAnswer<K extends ActorKind, O extends Op<K>> = ActorOps[K][O] extends {
  answer: infer A;
}
  ? A
  : never;

/** On `notifications:{user}`, name `conversation_joined`: the user is a member from `rev` on. */
export interface JoinedNote {
  conversation_id: ConversationId;
  rev: number;
}
