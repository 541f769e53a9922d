/** The refusals of storage that are not in everyone's list, worded once for both adapters. */

import type { ConversationChange } from "../../../actors/ports.ts";
import { CHANNEL_MEMBERS_MAX } from "../../protocol/channels.ts";
import { type ErrorObject, REFUSALS, type Result, refused } from "../../protocol/errors.ts";
import { CONTENT_BYTES_MAX } from "../../protocol/message-content.ts";
import { RULES } from "../../protocol/policy.ts";
import { PINNED_MAX } from "../../protocol/prefs.ts";
import { REACTION_KEYS_MAX } from "../../protocol/reaction-keys.ts";
import { SCHEDULED_MAX } from "../../protocol/scheduled-routes.ts";

export const MEMBERS_MAX = 1000;
/** Invitations of one member to one conversation that have not expired. */
export const INVITES_MAX = 100;
export const PINS_MAX = 50;

export const STORAGE_REFUSALS = {
  noReply: refused("invalid_payload", "There is no message with that reply_to_seq."),
  notSender: RULES.sender,
  noFile: RULES.shown,
  notUploader: RULES.uploader,
  messageDeleted: refused("conflict", "The message is deleted."),
  streaming: refused("conflict", "The message is being streamed: it is edited after its end."),
  tooLarge: refused(
    "invalid_payload",
    `Body and data must not be more than ${CONTENT_BYTES_MAX} bytes together.`,
  ),
  emptied: refused(
    "invalid_payload",
    "Neither a body nor data nor a file would be left, and the message has no type of its own.",
  ),
  pinsFull: refused("conflict", `At most ${PINS_MAX} messages of a conversation are pinned.`),
  role: RULES.role,
  noMember: refused("not_found", "That user is not a member of this conversation."),
  directFixed: refused(
    "conflict",
    "A conversation of this kind has neither that nor a change of it.",
  ),
  membersMax: refused(
    "invalid_payload",
    `A group has at most ${MEMBERS_MAX} members, a channel ${CHANNEL_MEMBERS_MAX}.`,
  ),
  apart: RULES.welcome,
  hasLeft: RULES.consenting,
  contactsOnly: RULES.contact,
  banned: RULES.unbanned,
  full: refused("conflict", "The conversation is full."),
  dataSize: refused("invalid_payload", "The data would be too large after this change."),
  noInvite: refused("not_found", "No such invitation."),
  invitesMax: refused("conflict", `You have ${INVITES_MAX} invitations here. End one first.`),
  externalTaken: refused(
    "conflict",
    "That external_id is the name of a conversation of another kind, or of another pair.",
  ),
  mayNotReact: RULES.role,
  keysMax: refused("conflict", `A message has at most ${REACTION_KEYS_MAX} different reactions.`),
  renamedLately: refused("conflict", "A username can be changed once in 30 days."),
  outsideUser: refused("conflict", "An outside issuer keeps this user's password."),
  usernameTaken: refused("conflict", "That username is taken."),
} as const;

export const SOCIAL_REFUSALS = {
  postNotFound: RULES.visible,
  notificationNotFound: refused("not_found", "No such notification."),
  notAuthor: RULES.author,
  commentNotFound: refused("not_found", "No such comment."),
  notCommenter: RULES.commenter,
  followsSelf: refused("invalid_payload", "Nobody follows themselves."),
  blocksSelf: refused("invalid_payload", "Nobody blocks themselves."),
} as const;

export type Refusal = { ok: false; error: ErrorObject };

/** What the functions of conversations in sql/functions/ answer instead of 'ok'. */
export const CONVERSATION_OUTCOMES: Record<string, Refusal> = {
  not_found: REFUSALS.conversationNotFound,
  user_not_found: REFUSALS.userNotFound,
  member_not_found: STORAGE_REFUSALS.noMember,
  conflict: STORAGE_REFUSALS.directFixed,
  forbidden: STORAGE_REFUSALS.role,
  apart: STORAGE_REFUSALS.apart,
  has_left: STORAGE_REFUSALS.hasLeft,
  contacts_only: STORAGE_REFUSALS.contactsOnly,
  banned: STORAGE_REFUSALS.banned,
  invalid_payload: STORAGE_REFUSALS.membersMax,
  full: STORAGE_REFUSALS.full,
  data_size: STORAGE_REFUSALS.dataSize,
  invite_not_found: STORAGE_REFUSALS.noInvite,
  invites_max: STORAGE_REFUSALS.invitesMax,
  taken: STORAGE_REFUSALS.externalTaken,
};

/** The refusal of an outcome of a change, after which the conversation's meta_rev is that. */
export function refusalOf(outcome: string, metaRev: number): Refusal {
  if (outcome !== "stale") return CONVERSATION_OUTCOMES[outcome] ?? REFUSALS.internal;
  return refused("conflict", "The conversation has changed since: read it again.", {
    meta_rev: metaRev,
  });
}

/** Where there is no such conversation, or nothing could be tried. */
export function nothingDone(outcomes: Result<{ changed: boolean }>[]): ConversationChange {
  const nobody = { addedIds: [], removedIds: [], changedIds: [] };
  const nothing = { changed: false, deleted: false, hasThreads: false };
  const none = { systemMessages: [], maskedIds: [] };
  return { outcomes, conversation: null, ...nobody, ...nothing, ...none };
}

/** What change_prefs answers instead of 'ok'. */
export const PREFS_OUTCOMES: Record<string, Refusal> = {
  not_found: REFUSALS.conversationNotFound,
  conflict: refused("conflict", "Only a direct conversation can be hidden."),
  pinned_max: refused("conflict", `At most ${PINNED_MAX} conversations are pinned at one time.`),
};

/** Answers of schedule_message other than 'ok', and the one that there is no such item. */
export const SCHEDULED_OUTCOMES: Record<string, Refusal> = {
  not_found: REFUSALS.conversationNotFound,
  full: refused("conflict", `At most ${SCHEDULED_MAX} messages of a user are scheduled.`),
  no_item: refused("not_found", "No such scheduled message, or it was sent."),
};

/** What create_thread and follow_thread answer instead of 'ok'. */
export const THREAD_OUTCOMES: Record<string, Refusal> = {
  not_found: REFUSALS.conversationNotFound,
  message_not_found: REFUSALS.messageNotFound,
  apart: RULES.unblocked,
  thread: refused("conflict", "A thread has no threads."),
  conflict: STORAGE_REFUSALS.messageDeleted,
};

export const MESSAGE_OUTCOMES: Record<string, Refusal> = {
  not_found: REFUSALS.conversationNotFound,
  message_not_found: REFUSALS.messageNotFound,
  forbidden: STORAGE_REFUSALS.notSender,
  apart: STORAGE_REFUSALS.apart,
  conflict: STORAGE_REFUSALS.messageDeleted,
  too_large: STORAGE_REFUSALS.tooLarge,
  empty: STORAGE_REFUSALS.emptied,
  no_reply: STORAGE_REFUSALS.noReply,
  no_file: STORAGE_REFUSALS.noFile,
  not_uploader: STORAGE_REFUSALS.notUploader,
  full: STORAGE_REFUSALS.pinsFull,
  streaming: STORAGE_REFUSALS.streaming,
};

/** What react_to_message answers instead of 'ok' and 'more'. */
export const REACTION_OUTCOMES: Record<string, Refusal> = {
  not_found: REFUSALS.conversationNotFound,
  message_not_found: REFUSALS.messageNotFound,
  apart: STORAGE_REFUSALS.apart,
  conflict: STORAGE_REFUSALS.messageDeleted,
  forbidden: STORAGE_REFUSALS.mayNotReact,
  full: STORAGE_REFUSALS.keysMax,
};
