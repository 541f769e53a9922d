/**
 * The policy: rules by name, and the rules that every act is under. HTTP, sockets, actors and
 * storage all refuse by this table, each by the facts it knows (`Facts`): the edge knows the
 * caller, the conversation's actor the members, storage the owner of a message or post. A rule
 * whose fact is unknown here is judged by the module that knows it.
 *
 * [AUZ1] An object that a user may not see is `not_found`, so that ids cannot be probed.
 * [AUZ2] An act on an object that the user sees but may not change is `forbidden`.
 */
import { type ErrorObject, REFUSALS, refused } from "./errors.ts";
import type { ClientEventName } from "./events.ts";
import type { ServiceScope } from "./route-spec.ts";
import type { RouteName } from "./routes.ts";

const wantsScope = (...scopes: ServiceScope[]) =>
  refused(
    "forbidden",
    `This wants a service token whose scope contains ${scopes.map((one) => `"${one}"`).join(" or ")}.`,
  );

/** The refusal of each rule when it does not hold. */
export const RULES = {
  /** A user acts, not a program: a service token speaks for nobody. */
  user: refused("forbidden", "A service token acts for no user. Use a user's access token here."),
  notify: wantsScope("notify"),
  admin: wantsScope("admin"),
  ops: wantsScope("ops"),
  /** A user, or a service that acts for users or, with system messages, for itself. */
  speaker: refused(
    "forbidden",
    'This wants a user\'s access token, or a service token whose scope contains "act".',
  ),
  /** A service that looks after the accounts of its own users. */
  accounts: wantsScope("users"),
  /** A service that acts for users. */
  acts: wantsScope("act"),
  /** Moderators and administrators may read the audit log and lift suspensions. */
  auditor: wantsScope("moderate", "admin"),
  moderator: wantsScope("moderate"),
  /** A service that is sent what happens. */
  receiver: wantsScope("events"),
  /** A user, or a service that looks after users. */
  reader: refused(
    "forbidden",
    'This wants a user\'s access token, or a service token whose scope contains "users".',
  ),
  /** A user, or a service that looks after users or suspends them. */
  finder: refused(
    "forbidden",
    'This wants a user\'s access token, or a service token whose scope contains "users" or "admin".',
  ),
  /** A user, or a service that exports. */
  exporter: refused(
    "forbidden",
    'This wants a user\'s access token, or a service token whose scope contains "export".',
  ),
  importer: wantsScope("import"),
  /** A user, or a service whose calls may begin a job. */
  jobAsker: refused(
    "forbidden",
    'This wants a user\'s access token, or a service token whose scope contains "users", "import", "export" or "admin".',
  ),
  /** A user, or a service that calls the application's actors. */
  caller: refused(
    "forbidden",
    'This wants a user\'s access token, or a service token whose scope contains "actors".',
  ),
  actors: wantsScope("actors"),
  /** The user's own doing, and not that of a service which acts for the user. */
  inPerson: refused("forbidden", "A service that acts for a user may not do this."),
  /** The user is not suspended. */
  admitted: refused("forbidden", "This account is suspended."),
  /** The user is a member now; a former member counts as a stranger. */
  member: REFUSALS.conversationNotFound,
  /** No block stands between the two of a direct conversation. */
  unblocked: refused("forbidden", "One of you has blocked the other."),
  /** No block stands between the user and the one the act concerns. */
  welcome: refused("forbidden", "This is not possible between you and that user."),
  /** The user who is added has not left the group by themselves. */
  consenting: refused("forbidden", "Who has left a group is not added to it again."),
  sender: refused("forbidden", "Only its sender may change a message."),
  /** The other user takes this from everybody, or the user is a contact of theirs. */
  contact: refused("forbidden", "That user takes this from contacts only."),
  /** The user who is added is not banned from the conversation. */
  unbanned: refused("forbidden", "A user who is banned here cannot be added."),
  /** The member's role allows it, also with regard to the role of whom it concerns. */
  role: refused("forbidden", "Your role in this conversation does not allow this."),
  /** The member has not been silenced. */
  unsilenced: refused("forbidden", "You are silenced in this conversation."),
  /** The post is there, and no block stands between the user and its author. */
  visible: refused("not_found", "No such post."),
  author: refused("forbidden", "Only its author may change a post."),
  /** The comment is the user's own, or on a post of theirs. */
  commenter: refused("forbidden", "Only its author or the post's may delete a comment."),
  /** The user may see the file now. */
  shown: refused("not_found", "No such file."),
  uploader: refused("forbidden", "Only who has uploaded a file may do this with it."),
  /** The token is of the session's own user. */
  self: refused("forbidden", "The token belongs to another user."),
} as const;

export type RuleName = keyof typeof RULES;

/** The scopes of which a service token needs one, by the rule that asks for it. */
export const SCOPES_OF_RULE = {
  notify: ["notify"],
  admin: ["admin"],
  ops: ["ops"],
  accounts: ["users"],
  acts: ["act"],
  auditor: ["moderate", "admin"],
  moderator: ["moderate"],
  actors: ["actors"],
  receiver: ["events"],
  importer: ["import"],
} as const satisfies Partial<Record<RuleName, readonly ServiceScope[]>>;

export type Facts = Partial<Record<RuleName, boolean>>;

/** The rules of each act, in the order in which they are judged. */
const ACTS = {
  /** For everyone, token or not. */
  open: [],
  connect: ["user", "admitted"],
  /** The user's own objects, and objects that every user may see. */
  own: ["user", "admitted"],
  /** The user's password and logins. */
  own_credentials: ["user", "inPerson", "admitted"],
  read_user: ["reader", "admitted"],
  // Judged again by what is asked for: read_user, or list_suspended.
  find_user: ["finder", "admitted"],
  list_suspended: ["admin"],
  // Judged again by the job's asker.
  read_job: ["jobAsker", "admitted"],
  // Judged again by what is exported, and by the export's asker.
  export: ["exporter", "admitted"],
  import: ["importer"],
  // The application's own `authorize` decides on the rest.
  call_actor: ["caller", "admitted"],
  use_actor: ["user", "admitted"],
  list_actors: ["actors"],
  notify: ["notify"],
  suspend: ["admin"],
  restore: ["auditor"],
  operate: ["ops"],
  manage_tokens: ["admin"],
  manage_accounts: ["accounts"],
  name_conversation: ["acts"],
  read_audit: ["auditor"],
  moderate: ["moderator"],
  receive_events: ["receiver"],
  create_conversation: ["user", "admitted", "welcome", "contact"],
  follow: ["user", "admitted", "welcome"],
  read_conversation: ["user", "admitted", "member"],
  // Under a block a user can still read history and delete their own messages.
  join: ["user", "admitted", "member"],
  delete: ["user", "admitted", "member", "sender"],
  pin: ["user", "admitted", "member", "unblocked", "role"],
  send: ["user", "admitted", "member", "unblocked", "unsilenced", "role"],
  /** Over HTTP, where services send as well. */
  post_message: ["speaker", "admitted", "member", "unblocked", "unsilenced", "role"],
  append: ["user", "admitted", "member", "unblocked", "unsilenced", "role", "sender"],
  mark: ["user", "admitted", "member", "unblocked"],
  typing: ["user", "admitted", "member", "unblocked", "unsilenced", "role"],
  signal: ["user", "admitted", "member", "unblocked", "unsilenced", "role"],
  signal_audience: ["user", "admitted", "member", "unblocked", "unsilenced", "role"],
  edit: ["user", "admitted", "member", "unblocked", "unsilenced", "role", "sender"],
  react: ["user", "admitted", "member", "unblocked", "unsilenced", "role"],
  create_thread: ["user", "admitted", "member", "unblocked", "unsilenced", "role"],
  update_conversation: ["user", "admitted", "member", "unblocked", "role"],
  update_member: ["user", "admitted", "member", "unblocked", "role"],
  add_members: [
    "user",
    "admitted",
    "member",
    "unblocked",
    "role",
    "welcome",
    "unbanned",
    "consenting",
    "contact",
  ],
  remove_member: ["user", "admitted", "member", "unblocked", "role"],
  ban: ["user", "admitted", "member", "unblocked", "role"],
  unban: ["user", "admitted", "member", "unblocked", "role"],
  delete_conversation: ["user", "admitted", "member", "unblocked", "role"],
  create_invite: ["user", "admitted", "member", "unblocked", "role"],
  // For users who are no members: what they may not join they do not see.
  come_in: ["user", "admitted"],
  see_post: ["user", "admitted", "visible"],
  edit_post: ["user", "admitted", "visible", "author"],
  delete_post: ["user", "admitted", "visible", "author"],
  delete_comment: ["user", "admitted", "visible", "commenter"],
  see_file: ["user", "admitted", "shown"],
  delete_file: ["user", "admitted", "shown", "uploader"],
  replace_token: ["user", "admitted", "self"],
} as const satisfies Record<string, readonly RuleName[]>;

export type Act = keyof typeof ACTS;

export function rulesOf(act: Act): readonly RuleName[] {
  return ACTS[act];
}

/**
 * The refusal of the first of the act's rules that does not hold; null: nothing known forbids it.
 */
export function judge(act: Act, facts: Facts): ErrorObject | null {
  for (const rule of ACTS[act]) if (facts[rule] === false) return RULES[rule].error;
  return null;
}

export const ACT_OF_ROUTE: Readonly<Record<RouteName, Act>> = {
  register: "open",
  login: "open",
  refresh: "open",
  logout: "open",
  getMe: "own",
  getTotals: "own",
  updateMe: "own",
  getPrivacy: "own",
  updatePrivacy: "own",
  getPushKey: "own",
  // A device belongs to a login of the user's own.
  putDevice: "own_credentials",
  listDevices: "own_credentials",
  deleteDevice: "own_credentials",
  getPush: "own",
  updatePush: "own",
  listPushes: "own",
  changePassword: "own_credentials",
  listLogins: "own_credentials",
  endLogin: "own_credentials",
  findUser: "find_user",
  searchUsers: "own",
  searchMessages: "own",
  listFollowers: "own",
  listFollowing: "own",
  listUserPosts: "own",
  listBlocks: "own",
  listLikes: "see_post",
  getUser: "read_user",
  suspendUser: "suspend",
  restoreUser: "restore",
  createPost: "own",
  getPost: "see_post",
  editPost: "edit_post",
  deletePost: "delete_post",
  deleteComment: "delete_comment",
  listFeed: "own",
  likePost: "see_post",
  unlikePost: "see_post",
  createComment: "see_post",
  listComments: "see_post",
  followUser: "follow",
  unfollowUser: "own",
  blockUser: "own",
  unblockUser: "own",
  listNotifications: "own",
  readNotifications: "own",
  sendNotification: "notify",
  createConversation: "create_conversation",
  putExternalConversation: "name_conversation",
  signalConversation: "name_conversation",
  listConversations: "own",
  getConversation: "read_conversation",
  updateConversation: "update_conversation",
  updateMember: "update_member",
  deleteConversation: "delete_conversation",
  joinConversation: "come_in",
  createInvite: "create_invite",
  listInvites: "read_conversation",
  endInvite: "read_conversation",
  getInvitation: "come_in",
  acceptInvite: "come_in",
  banUser: "ban",
  unbanUser: "unban",
  listBans: "ban",
  listMembers: "read_conversation",
  addMembers: "add_members",
  removeMember: "remove_member",
  listMessages: "read_conversation",
  getMessage: "read_conversation",
  listPins: "read_conversation",
  pinMessage: "pin",
  unpinMessage: "pin",
  sendMessage: "post_message",
  streamMessage: "send",
  pipeMessage: "send",
  appendMessage: "append",
  endMessage: "append",
  editMessage: "edit",
  deleteMessage: "delete",
  addReaction: "react",
  removeReaction: "react",
  listReactions: "read_conversation",
  createThread: "create_thread",
  // The right to send is judged when it is sent.
  scheduleMessage: "read_conversation",
  listScheduled: "own",
  getScheduled: "own",
  updateScheduled: "own",
  deleteScheduled: "own",
  followThread: "read_conversation",
  unfollowThread: "read_conversation",
  listThreads: "own",
  uploadFile: "own",
  getFile: "see_file",
  deleteFile: "delete_file",
  listFiles: "read_conversation",
  markRead: "mark",
  // What is one's own stays so under a block.
  getPrefs: "read_conversation",
  setPrefs: "read_conversation",
  createActor: "call_actor",
  callActor: "call_actor",
  getActor: "call_actor",
  listActors: "list_actors",
  listPresence: "own",
  putExternalUser: "manage_accounts",
  putExternalUsers: "manage_accounts",
  mintToken: "manage_accounts",
  revokeUser: "manage_accounts",
  setPassword: "manage_accounts",
  eraseUser: "manage_accounts",
  eraseMe: "own_credentials",
  getJob: "read_job",
  startImport: "import",
  startExport: "export",
  getExport: "export",
  listServiceTokens: "manage_tokens",
  getServiceToken: "manage_tokens",
  endServiceToken: "manage_tokens",
  listAudit: "read_audit",
  createReport: "own",
  listReports: "moderate",
  resolveReport: "moderate",
  getWordRules: "moderate",
  putWordRules: "moderate",
  pullEvents: "receive_events",
  createWebhook: "receive_events",
  listWebhooks: "receive_events",
  getWebhook: "receive_events",
  updateWebhook: "receive_events",
  deleteWebhook: "receive_events",
  testWebhook: "receive_events",
  replayWebhook: "receive_events",
  unparkWebhook: "receive_events",
  opsSummary: "operate",
  opsFindUser: "operate",
  opsUser: "operate",
  opsEndSessions: "operate",
  opsFindMessage: "operate",
  opsUserPushes: "operate",
  healthz: "open",
  readyz: "open",
  metrics: "open",
};

export const ACT_OF_EVENT: Readonly<Record<ClientEventName, Act>> = {
  send_message: "send",
  join_conversation: "join",
  leave_conversation: "join",
  typing: "typing",
  signal: "signal",
  mark_delivered: "mark",
  mark_read: "mark",
  append_message: "append",
  end_message: "append",
  edit_message: "edit",
  delete_message: "delete",
  set_prefs: "read_conversation",
  react: "react",
  create_actor: "use_actor",
  call: "use_actor",
  watch_actor: "use_actor",
  unwatch_actor: "use_actor",
  // Both leave out objects that the user may not see.
  sync: "own",
  watch_posts: "own",
  unwatch_posts: "own",
  watch_presence: "own",
  unwatch_presence: "own",
  set_status: "own",
  refresh_token: "replace_token",
};
