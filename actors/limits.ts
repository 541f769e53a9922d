/**
 * All caps and times of the behaviours, with their reasons.
 */

/** Contract: typing ends by itself after this silence. */
export const TYPING_SILENCE_MS = 5_000;

/**
 * After an actor has moved, the edges announce their sessions within milliseconds; until this
 * is over nothing is published, so that half of the sessions never look like a change.
 */
export const PRESENCE_SETTLE_MS = 1_000;

/** Newest messages a conversation keeps for joins: the largest page a join may ask for. */
export const RING_MESSAGES = 100;

/** The most messages in the answer to a join with `after_rev` and without `limit`. */
export const JOIN_CHANGES_DEFAULT = 100;

/** Reloading a user is one batched read: short enough to keep memory to those around. */
export const USER_IDLE_MS = 60_000;

/** Reloading a conversation is two reads: keep those with some activity. */
export const CONVERSATION_IDLE_MS = 120_000;

/** Asks of one conversation that storage has not answered yet; past it: `unavailable`. */
export const SENDS_IN_FLIGHT_MAX = 5_000;

/** Contract: at most 10 updates a second for one post; a little less, for clocks and networks. */
export const POST_UPDATE_EVERY_MS = 110;

/** Reloading a post is one batched read. */
export const POST_IDLE_MS = 60_000;

/** Likers that wait for the author's actor; beyond it some are counted without a notification. */
export const LIKERS_WAITING_MAX = 100_000;

/** Contract: likes of one post inside this window are one notification. */
export const LIKES_WINDOW_MS = 5_000;

/** Comments on one post, mentions in one place or follows that are notifications of their own. */
export const FLOOD_SINGLE_MAX = 10;

/** Such kinds and places of one user that are counted at a time: some 300 bytes each. */
export const FLOODS_MAX = 1_000;

/** Users whom one text may mention: more would misuse mentions to notify everybody. */
export const MENTIONS_MAX = 20;

/** Contract: at most one `user_updated` a second for one user. */
export const PROFILE_EVERY_MS = 1_000;

/** Notifications of one user that storage has not taken yet. */
export const NOTIFICATIONS_WAITING_MAX = 10_000;

/** The pause before an ask that another actor could not take is retried. */
export const RETRY_MS = 1_000;

/** Ended sessions that are remembered; announcements about them may be late by about a second. */
export const ENDED_SESSIONS_KEPT = 32;

/** Contract: at most 4 changes of title and members a second for one conversation. */
export const CHANGES_EVERY_MS = 250;

/** Calls for such changes that wait in one conversation; past it: `unavailable`. */
export const CHANGES_WAITING_MAX = 1_000;

/** Users whom these calls name, all together; past it: `unavailable`. */
export const CHANGED_USERS_WAITING_MAX = 10_000;

/** Users whom the calls of one transaction name: a few ten milliseconds of PostgreSQL's time. */
export const CHANGED_USERS_AT_ONCE_MAX = 2_000;

/** Contract: flushes of reactions to one message are at least so far apart, up to a second. */
export const REACTIONS_EVERY_MS = 100;
export const REACTIONS_EVERY_MOST_MS = 1_000;

/** Contract: a root's summary of its thread is refreshed at most so often. */
export const SUMMARY_EVERY_MS = 1_000;

/** Roots whose summaries wait in one conversation; past it they are found in storage, later. */
export const SUMMARIES_WAITING_MAX = 10_000;

/** Calls of one flush; more of them cannot change anything in it. */
export const REACTIONS_AT_ONCE_MAX = 100;

/** Reactions that wait in one conversation, some 4 s of full speed; past it: `unavailable`. */
export const REACTIONS_WAITING_MAX = 2_000;

/** Contract: at most 20 deltas a second for one streamed message; a little less, for clocks. */
export const DELTA_EVERY_MS = 52;

/** Contract: a streamed message is stored at least, and at most, so often while text comes. */
export const CHECKPOINT_EVERY_MS = 1_000;

/** Contract: a writer that is silent for so long leaves the stream `failed`. */
export const STREAM_SILENCE_MS = 30_000;

/** A caller that waits for the end of a stream is answered after this: less than an ask's deadline. */
export const STREAM_WAIT_MS = 2_000;

/** What a channel publishes of its activity and its watchers is gathered for so long. */
export const CHANNEL_GATHER_MS = 200;

/** A channel's activity is published to the edges of members at most so often. */
export const CHANNEL_ACTIVITY_EVERY_MS = 1_000;

/** Contract: how often `occupancy` is sent at most, and where many watch. */
export const OCCUPANCY_EVERY_MS = 2_000;
export const OCCUPANCY_EVERY_MOST_MS = 10_000;
export const MANY_WATCHERS = 10_000;

/** Contract: nobody types where more than so many sessions watch. */
export const TYPING_WATCHERS_MAX = 100;
