/**
 * The cost of every route and event: the one table from which the edge charges (edge/limits).
 * A row names the limits (limit-keys.ts) that are charged, and how many units of each.
 *
 * [CST1] One unit is a small call, such as reading oneself: well under a millisecond of the server's
 *        time. A call that reads or writes many things costs units in proportion to the time for
 *        which it keeps the server busy.
 * [CST2] The first unit is charged before the input is read, so that a refused call is paid for, too.
 *        The table has the units beyond it.
 * [CST3] Services are exempt from all limits. `RATE_LIMITS=off` removes all limits.
 *
 * Beside this table a conversation's actor charges changes that all members receive
 * (actors/changes.ts), because only the actor knows the members.
 */
import type { ClientEventName, ClientPayload } from "./events.ts";
import { PAGE_LIMIT_DEFAULT } from "./route-spec.ts";
import type { RouteBody, RouteName, RouteQuery } from "./routes.ts";

/** Limits of a user (`operations`: of an address) that routes and events are charged to. */
export type ChargedLimit =
  | "http_user"
  | "send"
  | "append"
  | "react"
  | "mark"
  | "read"
  | "watch"
  | "typing"
  | "signal"
  | "call"
  | "create_actor"
  | "create"
  | "add"
  | "change"
  | "report"
  | "upload"
  | "search"
  | "operations";

/** Units by limit. Units of `http_user` are charged to the caller's address as well. */
export type Units = Partial<Record<ChargedLimit, number>>;

interface RouteInput<R extends RouteName> {
  query: RouteQuery<R>;
  body: RouteBody<R>;
  /** The caller's id, who counts for nothing where users are named. */
  caller: string;
}

type RouteCosts = { readonly [R in RouteName]: (call: RouteInput<R>) => Units };

/** One unit, charged before the input is read. */
const PLAIN = (): Units => ({});
const NOTHING: Units = {};

/** So many listed objects are one unit. */
const LISTED_A_UNIT = 10;
/** So many ids that are looked up are one unit. */
const IDS_A_UNIT = 25;

const each = (count: number, aUnit: number) => Math.ceil(count / aUnit);
/** A page's units beyond the first. */
const page = ({ query }: { query: { limit?: number } }): Units => ({
  http_user: each(query.limit ?? PAGE_LIMIT_DEFAULT, LISTED_A_UNIT) - 1,
});
const others = (ids: readonly string[], caller: string) =>
  new Set(ids.filter((id) => id !== caller)).size;

/**
 * Beyond the first unit of `http_user`; of the routes outside /api, of `operations`. The calls
 * under /api/auth have limits of their own.
 */
export const COST_OF_ROUTE: RouteCosts = {
  register: PLAIN,
  login: PLAIN,
  refresh: PLAIN,
  logout: PLAIN,
  getMe: PLAIN,
  // It may be published to everybody who watches the user.
  updateMe: () => ({ http_user: 1, change: 1 }),
  getPrivacy: PLAIN,
  // It may be published to everybody who watches the user, and mark the user's memberships.
  updatePrivacy: () => ({ http_user: 1, change: 1 }),
  getPushKey: PLAIN,
  // It may resolve a name, and add a job.
  putDevice: () => ({ http_user: 2 }),
  listDevices: PLAIN,
  deleteDevice: () => ({ http_user: 1 }),
  getPush: PLAIN,
  updatePush: () => ({ http_user: 1 }),
  listPushes: () => ({ http_user: 1 }),
  findUser: ({ query }) => {
    if (query.ids !== undefined) return { http_user: each(query.ids.length, IDS_A_UNIT) - 1 };
    return query.suspended === undefined ? NOTHING : page({ query });
  },
  // It may read all with whom the user shares a conversation.
  searchUsers: () => ({ http_user: 10 }),
  // It may look at all rows of the index that the user may read, and at 1,000 messages.
  searchMessages: () => ({ search: 1, http_user: 4 }),
  getUser: PLAIN,
  listFollowers: page,
  listFollowing: page,
  listUserPosts: page,
  listBlocks: page,
  listLikes: page,
  // Two password hashes: some 0.3 s of one core.
  changePassword: () => ({ http_user: 50 }),
  listLogins: page,
  endLogin: () => ({ http_user: 1 }),
  createPost: () => ({ http_user: 2 }),
  getPost: PLAIN,
  editPost: () => ({ http_user: 1 }),
  deletePost: () => ({ http_user: 1 }),
  listFeed: page,
  likePost: PLAIN,
  unlikePost: PLAIN,
  createComment: () => ({ http_user: 1 }),
  deleteComment: () => ({ http_user: 1 }),
  listComments: page,
  followUser: () => ({ http_user: 1 }),
  unfollowUser: () => ({ http_user: 1 }),
  blockUser: () => ({ http_user: 2 }),
  unblockUser: () => ({ http_user: 2 }),
  createConversation({ body, caller }) {
    const added = others(body.member_ids ?? [], caller);
    const { kind } = body;
    const isGroup =
      kind === "group" || kind === "channel" || added > 1 || (body.title ?? null) !== null;
    return { http_user: each(added, IDS_A_UNIT), add: added, ...(isGroup ? { create: 1 } : {}) };
  },
  // It looks at all of the user's conversations.
  getTotals: () => ({ http_user: 4 }),
  listConversations: page,
  getConversation: () => ({ http_user: 1 }),
  updateConversation: () => ({ change: 1 }),
  updateMember: () => ({ change: 1 }),
  deleteConversation: () => ({ change: 1 }),
  joinConversation: () => ({ change: 1 }),
  createInvite: () => ({ change: 1 }),
  listInvites: page,
  endInvite: () => ({ change: 1 }),
  getInvitation: PLAIN,
  acceptInvite: () => ({ change: 1 }),
  banUser: () => ({ change: 1 }),
  unbanUser: () => ({ change: 1 }),
  listBans: page,
  listMembers(call) {
    // By a name it may look at thousands of members.
    const byName = call.query.q === undefined ? 0 : 10;
    return { http_user: (page(call).http_user ?? 0) + byName };
  },
  addMembers({ body, caller }) {
    const added = others(body.user_ids, caller);
    return { http_user: each(added, IDS_A_UNIT), add: added, change: 1 };
  },
  removeMember: () => ({ change: 1 }),
  listMessages: page,
  getMessage: PLAIN,
  listPins: () => ({ http_user: 4 }),
  pinMessage: () => ({ change: 1 }),
  unpinMessage: () => ({ change: 1 }),
  sendMessage: () => ({ send: 1 }),
  streamMessage: () => ({ send: 1 }),
  pipeMessage: () => ({ send: 1 }),
  appendMessage: () => ({ append: 1 }),
  endMessage: () => ({ send: 1 }),
  editMessage: () => ({ send: 1 }),
  deleteMessage: () => ({ send: 1 }),
  uploadFile: () => ({ http_user: 1, upload: 1 }),
  getFile: PLAIN,
  deleteFile: () => ({ change: 1 }),
  listFiles: page,
  markRead: () => ({ mark: 1 }),
  getPrefs: PLAIN,
  // A row and the number of its change, as a mark.
  setPrefs: () => ({ mark: 1 }),
  addReaction: () => ({ react: 1 }),
  // For all: as many flushes as there are fifties of users, and each is an event to all members.
  removeReaction: ({ query }) => ({ react: query.all === "true" ? 10 : 1 }),
  listReactions: page,
  createThread: () => ({ change: 1 }),
  scheduleMessage: () => ({ send: 1 }),
  listScheduled: page,
  getScheduled: PLAIN,
  updateScheduled: () => ({ send: 1 }),
  deleteScheduled: PLAIN,
  followThread: () => ({ change: 1 }),
  unfollowThread: () => ({ change: 1 }),
  listThreads: page,
  createActor: () => ({ create_actor: 1 }),
  callActor: () => ({ call: 1 }),
  getActor: PLAIN,
  listActors: PLAIN,
  listNotifications: page,
  readNotifications: PLAIN,
  sendNotification: PLAIN,
  suspendUser: PLAIN,
  restoreUser: PLAIN,
  listPresence: ({ query }) => ({ http_user: each(query.user_ids.length, IDS_A_UNIT) - 1 }),
  // Services' routes: [CST3].
  putExternalUser: PLAIN,
  putExternalUsers: PLAIN,
  putExternalConversation: PLAIN,
  signalConversation: PLAIN,
  mintToken: PLAIN,
  revokeUser: PLAIN,
  setPassword: PLAIN,
  eraseUser: PLAIN,
  // A password hash, and the job.
  eraseMe: () => ({ http_user: 50 }),
  getJob: PLAIN,
  // A walk through the tables, off the hot path.
  startImport: () => ({}),
  startExport: () => ({ http_user: 50 }),
  getExport: () => ({ http_user: 20 }),
  listServiceTokens: PLAIN,
  getServiceToken: PLAIN,
  endServiceToken: PLAIN,
  listAudit: PLAIN,
  createReport: () => ({ report: 1 }),
  listReports: PLAIN,
  resolveReport: PLAIN,
  getWordRules: PLAIN,
  putWordRules: PLAIN,
  pullEvents: PLAIN,
  createWebhook: PLAIN,
  listWebhooks: PLAIN,
  getWebhook: PLAIN,
  updateWebhook: PLAIN,
  deleteWebhook: PLAIN,
  testWebhook: PLAIN,
  replayWebhook: PLAIN,
  unparkWebhook: PLAIN,
  opsSummary: PLAIN,
  opsFindUser: PLAIN,
  opsUser: PLAIN,
  opsEndSessions: PLAIN,
  opsFindMessage: PLAIN,
  opsUserPushes: PLAIN,
  healthz: PLAIN,
  readyz: PLAIN,
  // Every worker of the host counts and sends what it has counted.
  metrics: () => ({ operations: 9 }),
};

interface EventCost<E extends ClientEventName> {
  /** The limit whose first unit is charged before the payload is read. */
  limit: Extract<
    ChargedLimit,
    | "send"
    | "append"
    | "react"
    | "mark"
    | "read"
    | "watch"
    | "typing"
    | "signal"
    | "call"
    | "create_actor"
  >;
  /** Beyond that first unit. */
  more?: (payload: ClientPayload<E>) => Units;
}

type EventCosts = { readonly [E in ClientEventName]: EventCost<E> };

/** Joins with so many messages are one unit, and so are so many conversations of a `sync`. */
const READ_A_UNIT = 50;

/** Up to 500 preferences with their drafts. */
const PREFS_UNITS = 5;
/** As `GET /api/me/totals`. */
const TOTALS_UNITS = 2;

/** So many actors of the application's own that a `sync` asks about are one unit. */
const ACTORS_A_UNIT = 5;

const watched = (ids: readonly unknown[]): Units => ({ watch: each(ids.length, IDS_A_UNIT) - 1 });

/**
 * A person never comes near what these allow. A client that catches up after being offline (an
 * outbox, marks of a long list) does, and must get through.
 */
export const COST_OF_EVENT: EventCosts = {
  send_message: { limit: "send" },
  append_message: { limit: "append" },
  end_message: { limit: "send" },
  edit_message: { limit: "send" },
  delete_message: { limit: "send" },
  react: { limit: "react" },
  typing: { limit: "typing" },
  // In larger groups by the number of receivers (signalUnits), charged where that is known.
  signal: { limit: "signal" },
  mark_delivered: { limit: "mark" },
  mark_read: { limit: "mark" },
  set_prefs: { limit: "mark" },
  create_actor: { limit: "create_actor" },
  call: { limit: "call" },
  // Each runs the application's `authorize` and `view`.
  watch_actor: { limit: "watch" },
  unwatch_actor: { limit: "watch" },
  join_conversation: {
    limit: "read",
    more: ({ limit }) => (limit === undefined ? NOTHING : { read: each(limit, READ_A_UNIT) - 1 }),
  },
  leave_conversation: { limit: "read" },
  sync: {
    limit: "read",
    more: ({ conversations, prefs_after_rev, totals, actors }) => ({
      read:
        each(conversations.length, READ_A_UNIT) +
        (prefs_after_rev === undefined ? 0 : PREFS_UNITS) +
        (totals === undefined ? 0 : TOTALS_UNITS) +
        each(actors?.length ?? 0, ACTORS_A_UNIT),
    }),
  },
  watch_presence: { limit: "watch", more: ({ user_ids }) => watched(user_ids) },
  unwatch_presence: { limit: "watch", more: ({ user_ids }) => watched(user_ids) },
  watch_posts: { limit: "watch", more: ({ post_ids }) => watched(post_ids) },
  unwatch_posts: { limit: "watch", more: ({ post_ids }) => watched(post_ids) },
  set_status: { limit: "watch" },
  refresh_token: { limit: "watch" },
};
