/** One sentence about each event and each error code, for the published documents. */
import type { ErrorCode } from "./errors.ts";
import type { ClientEventName, ServerEventName } from "./events.ts";

export const CLIENT_EVENT_SUMMARIES: Record<ClientEventName, string> = {
  send_message:
    "Send a message. The same `client_id` again makes no second one: it answers the first, with `duplicate`. Acknowledged after the commit.",
  append_message:
    "Append text to one's own streamed message. `offset` is the `length` of the last answer; a wrong one is `conflict` with `details.length`, so a retry is safe.",
  end_message:
    "End one's own streamed message. Acknowledged after the commit; mentions are resolved then.",
  join_conversation:
    "Receive a conversation's live events on this socket, and read what changed after `after_rev`, or without it the newest messages.",
  leave_conversation: "Receive no more live events of a conversation on this socket.",
  typing: "Say that one types, or no longer does. Ends by itself after 5 s of silence.",
  signal:
    "Send the other members an event of one's own, which is not stored: a cursor, a call, a game. `to` names those who receive it.",
  mark_delivered: "Mark everything up to `seq` as delivered. Never moves back.",
  mark_read: "Mark everything up to `seq` as read, and so as delivered. Never moves back.",
  edit_message: "Change one's own message.",
  delete_message: "Delete one's own message; it stays with `deleted_at` and an empty body.",
  set_prefs:
    "Change one's own preferences of a conversation; what is not named stays. Answers them. A draft becomes a change after a second without another, or when the session ends: where nothing else is set the answer has no `prefs_rev`.",
  react:
    "React to a message, or take one's own reaction away. Nothing changed: no `rev`. The acknowledgement stands for this socket's event.",
  create_actor:
    "Make an actor of one of the application's kinds; answers its view. One that is there is `conflict`.",
  call: "Call an action of an actor. The same `call_id` of the same caller runs a turn that commits once in 24 h. The events that it caused come before its acknowledgement.",
  watch_actor:
    "Receive an actor's events from now on; answers its view, or the events after `after_rev` where they are kept. A session watches at most 50.",
  unwatch_actor: "Receive an actor's events no longer.",
  sync: "Fetch all that changed since the held `rev` of each conversation; to be called after every reconnect, and again while `has_more` is true.",
  watch_presence:
    "Receive these users' status from now on; answers it as it is. A session watches at most 1,000 users in all; an id that does not exist is answered `offline` and not watched.",
  unwatch_presence: "Hear of these users' status no longer.",
  set_status: "Say how present this socket is. Of several sessions the best counts.",
  watch_posts:
    "Receive these posts' counts from now on; answers them as they are. A session watches at most 1,000 posts; one that is not there is left out and not watched.",
  unwatch_posts: "Hear of these posts' counts no longer.",
  refresh_token: "Go on with a newer access token of the same user, on the same connection.",
};

export const SERVER_EVENT_SUMMARIES: Record<ServerEventName, string> = {
  ready:
    "The first event of a connection: who one is, and what is unread. At most 500 conversations are named; `unread.more` says that there are others.",
  message: "A new message, to every session of every member but the socket that sent it.",
  message_updated: "An edit or a deletion, likewise.",
  message_delta:
    "Text of a streamed message since `offset` (code points), at most 20 a second a message; no change, and so without a `rev`. A hole in the offsets is mended by `join_conversation`. Only with contract 1.1.",
  message_checkpoint:
    "A streamed message was stored up to `length`. Sessions of version 1 receive `message_updated`.",
  reaction:
    "Reactions to a message came or went, gathered: at most 50 changes with one `rev`. Sessions of version 1 receive `message_updated`.",
  typing: "Another member types, or no longer does.",
  signal:
    "An event of the application's own from another member, or (`user_id` null) from a service. Not stored: at most once, and in the order in which one session sent them.",
  actor_event:
    "An event of a watched actor, by rising `rev`, with none left out. One that is for others only comes without `name` and `data`.",
  actor_closed:
    "The last event of a watched actor: it was destroyed or restarted, or this session may not watch it any more.",
  receipt: "How far a member has received and read.",
  conversation_updated:
    "Members or title changed. For who was removed it is the last event of that conversation.",
  messages_erased:
    "The messages of an erased user, up to 200 with one `rev`, are empty: `body` is, `data`, attachments and reactions are gone, and they count as deleted. Only with contract 1.1; a session of version 1 receives `conversation_updated`. `sync` lists them as they are now.",
  conversation_deleted:
    "The conversation is gone for all its members; its last event. Only with contract 1.1; a session of version 1 receives `conversation_updated` without its user.",
  occupancy:
    "How many sessions watch a channel, and how many members it has; to those who watch, at most" +
    " every 2 s, and every 10 s where more than 10,000 watch.",
  changes:
    "Changes of a channel that come together, by rising `rev`, where there are more than 50 a second.",
  skipped:
    "The session reads too slowly for a channel: it has not received these changes, both ends" +
    " included, and reads them by `join_conversation` with `after_rev`.",
  rev_skipped:
    "A change that this session may not see took this `rev`, such as the edit of a message from before its user joined. Only with contract 1.1; a session of version 1 receives `conversation_updated` in its place.",
  conversation_activity:
    "Something changed in a conversation whose events this session does not receive, because its user has more than 500; at most one every 5 s for each. Read it with `sync`, or receive its events with `join_conversation`.",
  prefs_updated:
    "One's own preferences of a conversation changed, to every session of the user but the socket whose acknowledgement carried that `prefs_rev`. By rising `prefs_rev`.",
  notification: "A notification, new or grown, to every session of its user.",
  like_update:
    "A post's likes, to its author and those who watch it; at most 10 a second, the last value always.",
  comment_update: "A post's comments, likewise.",
  user_status:
    "A watched user came, went, or is away. Peers of direct conversations and those one follows are watched without asking, at most 500: peers first, then those followed last.",
  user_updated:
    "A user's name, picture, `data` or `trusted` changed: to that user's own sessions and to those who watch that user, at most one a second a user.",
  token_expiring: "The access token ends soon: answer with `refresh_token`, or be closed.",
  server_draining: "The server restarts: reconnect after this time, best before it closes.",
  session_ended: "The server is about to close this socket; `reconnect` says whether to come back.",
};

export const ERROR_MEANINGS: Record<ErrorCode, string> = {
  invalid_payload:
    "The request is malformed: a wrong type, a missing or an unknown key, a value out of range, a bad cursor, an unknown event. `details` names the places.",
  unauthorized: "There is no valid token, or its login has ended. Log in again.",
  token_expired: "The access token has expired. Refresh it and try again.",
  forbidden: "The caller may see it but not do this.",
  not_found: "There is no such thing, or the caller may not know of it.",
  method_not_allowed: "The address has other methods; the header `Allow` lists them.",
  conflict: "It contradicts what is there: a taken username, an edit of a deleted message.",
  quota_exceeded:
    "There are as many of these as there may be, or the user's files take all their room.",
  gone: "It was there and is no more.",
  payload_too_large: "The body is larger than 64 KiB, or a file is larger than may be.",
  unsupported_media_type:
    "The body is not `application/json`, or a file is of a type that is not taken.",
  rate_limited: "Too much at once. Try again after `retry_after_ms`.",
  internal: "Something went wrong on the server.",
  unavailable: "The server cannot do this right now. Nothing was done that it did not answer for.",
};
