/** The refusals of storage that are not in everyone's list, worded once for both adapters. */
import { type ErrorObject, REFUSALS, refused } from "../../protocol/errors.ts";
import { RULES } from "../../protocol/policy.ts";

export const MEMBERS_MAX = 1000;

export const STORAGE_REFUSALS = {
  noReply: refused("invalid_payload", "There is no message with that reply_to_seq."),
  notSender: RULES.sender,
  messageDeleted: refused("conflict", "The message is deleted."),
  notOwner: RULES.owner,
  directFixed: refused("conflict", "A direct conversation keeps its members and has no title."),
  membersMax: refused("invalid_payload", `A conversation has at most ${MEMBERS_MAX} members.`),
  apart: RULES.welcome,
  hasLeft: RULES.consenting,
  usernameTaken: refused("conflict", "That username is taken."),
} as const;

export const SOCIAL_REFUSALS = {
  postNotFound: RULES.visible,
  notificationNotFound: refused("not_found", "No such notification."),
  notAuthor: RULES.author,
  followsSelf: refused("invalid_payload", "Nobody follows themselves."),
  blocksSelf: refused("invalid_payload", "Nobody blocks themselves."),
} as const;

export type Refusal = { ok: false; error: ErrorObject };

/** What the functions of conversations in sql/functions/ answer instead of 'ok'. */
export const CONVERSATION_OUTCOMES: Record<string, Refusal> = {
  not_found: REFUSALS.conversationNotFound,
  user_not_found: REFUSALS.userNotFound,
  conflict: STORAGE_REFUSALS.directFixed,
  forbidden: STORAGE_REFUSALS.notOwner,
  apart: STORAGE_REFUSALS.apart,
  has_left: STORAGE_REFUSALS.hasLeft,
  invalid_payload: STORAGE_REFUSALS.membersMax,
};

export const MESSAGE_OUTCOMES: Record<string, Refusal> = {
  not_found: REFUSALS.conversationNotFound,
  message_not_found: REFUSALS.messageNotFound,
  forbidden: STORAGE_REFUSALS.notSender,
  apart: STORAGE_REFUSALS.apart,
  conflict: STORAGE_REFUSALS.messageDeleted,
};
