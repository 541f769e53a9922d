/**
 * How much one session may listen to. Each bound limits what a session costs its edge, and what
 * anybody else can make it cost.
 */

/** Conversations whose events a session receives without having joined them. */
export const LIVE_CONVERSATIONS_MAX = 500;

/** Followed threads, beside those. */
export const LIVE_THREADS_MAX = 200;

/** Channels that a session watches. */
export const WATCHED_CHANNELS_MAX = 20;

/** Channels of whose activity a session receives word: those its user was active in last. */
export const CHANNELS_MAX = 500;

/** Conversations that `ready.unread` names; `unread.more` says that there are others. */
export const UNREAD_CONVERSATIONS_MAX = 500;

/** At most one `conversation_activity` in this time for one session and conversation. */
export const ACTIVITY_EVERY_MS = 5_000;

/** Users whose presence a session watches, for any reason. */
export const WATCHED_USERS_MAX = 1_000;

/** The part of them that is watched without a request of the client: direct peers and followed users. */
export const AUTOMATIC_WATCHES_MAX = 500;

/** Posts whose counts a session watches: more than any screen shows. */
export const WATCHED_POSTS_MAX = 1_000;
