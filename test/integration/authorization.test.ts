/**
 * [AUZ] Permissions as one table: every kind of caller tries every route and every event of a real
 * service. A cell has `ok` or the status of the refusal (for an event, of its code).
 *
 * owner: made the group, sent the message, wrote the post · member: is in the same group · former:
 * was in it, sent a message then, and was removed · stranger: never was in it · blocked: has a
 * direct conversation with a user who blocked them · notify, admin, ops: service tokens · none: no
 * token.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ERROR_STATUS, type ErrorCode } from "../../src/protocol/errors.ts";
import { CLIENT_EVENTS, type ClientEventName } from "../../src/protocol/events.ts";
import { ROUTES, type RouteName } from "../../src/protocol/routes.ts";
import { upTo } from "../support/expectations.ts";
import { Api } from "../support/http.ts";
import { expectStatus, PASSWORD, type Person } from "../support/person.ts";
import { serviceTokenOf } from "../support/service.ts";
import { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";
import {
  EVENT_TABLE,
  IN_PERSON,
  MORE_MAY,
  MORE_SERVICES,
  ROUTE_TABLE,
  SERVICES,
  WHO,
  type Who,
} from "../support/who-may-what.ts";

const troupe = troupeForFile({ shared: true });

/** What one of them acts on. */
interface Scene {
  conversation: string;
  /** A message of theirs, or the nearest they could know of. */
  seq: number;
  post: string;
  /** Somebody whom they know, and somebody whom they never talked to. */
  other: string;
  unknown: string;
  removes: string;
  /** A file that a message of the conversation shows; the blocked one's own. */
  file: string;
}

const NAMES = [
  "owner",
  "member",
  "former",
  "stranger",
  "blocked",
  "blocker",
  "friend",
  "unknown",
  "blocking",
] as const;
let people: Record<(typeof NAMES)[number], Person>;
let direct: string;
/** The blocked one's own messages, sent before: each is deleted once. */
let ownSeqs: number[];
let tokens: Record<Who, string | null>;
const sessions = new Map<Who, Session>();

beforeAll(async () => {
  const made = await troupe().users(...NAMES);
  people = Object.fromEntries(NAMES.map((name, i) => [name, made[i]])) as typeof people;
  direct = (await people.blocked.startsDirect(people.blocker)).id;
  ownSeqs = [];
  for (const n of upTo(8)) ownSeqs.push((await people.blocked.posts(direct, `${n}`)).seq);
  await people.blocker.blocks(people.blocked);
  await people.blocking.blocks(people.blocked);
  tokens = {
    owner: people.owner.token,
    member: people.member.token,
    former: people.former.token,
    stranger: people.stranger.token,
    blocked: people.blocked.token,
    notify: await serviceTokenOf(JWT_SECRET, ["notify"]),
    admin: await serviceTokenOf(JWT_SECRET, ["admin"]),
    ops: await serviceTokenOf(JWT_SECRET, ["ops"]),
    none: null,
  };
});

afterAll(() => sessions.clear());

/** Makes a new group with messages and posts for each row, so that no row spoils another. */
async function newScene(): Promise<(who: Who) => Scene> {
  const { owner, member, former, blocker } = people;
  const group = await owner.startsGroup(member, former);
  const sent = await owner.posts(group.id, "the owner's");
  const formers = await former.posts(group.id, "of one who was there");
  const removal = await owner.api.delete(`/api/conversations/${group.id}/members/${former.id}`);
  expectStatus<unknown>(removal, 204);
  const [file, own] = [await owner.uploads("a file"), await people.blocked.uploads("another")];
  await owner.posts(group.id, "with a file", [file]);
  const [post, hidden] = [await owner.publishes("a post"), await blocker.publishes("hidden")];
  const { friend, unknown, blocking } = people;
  return (who) => {
    const isBlocked = who === "blocked";
    return {
      conversation: isBlocked ? direct : group.id,
      seq: isBlocked ? ownSeqs.shift()! : who === "former" ? formers.seq : sent.seq,
      post: isBlocked ? hidden.id : post.id,
      other: isBlocked ? blocker.id : friend.id,
      unknown: isBlocked ? blocking.id : unknown.id,
      file: isBlocked ? own.id : file.id,
      removes: isBlocked ? blocker.id : who === "owner" ? member.id : owner.id,
    };
  };
}

/** What needs a login that it may spend. */
const LOGINS: RouteName[] = ["login", "refresh", "logout"];
let calls = 0;

function bodyOf(route: RouteName, scene: Scene, fresh: Person): object | undefined {
  calls++;
  const { username } = fresh.user;
  const bodies: Partial<Record<RouteName, object>> = {
    register: { username: `new_${calls}_${Date.now() % 1e6}`, password: PASSWORD },
    login: { username, password: PASSWORD },
    refresh: { refresh_token: fresh.login.refresh_token },
    logout: { refresh_token: fresh.login.refresh_token },
    eraseMe: { password: "a wrong one", messages: "keep" },
    startImport: { type: "report" },
    startExport: { user_id: people.owner.id },
    changePassword: { old: "a wrong one", new: PASSWORD },
    updateMe: { display_name: "Somebody" },
    updatePrivacy: { discoverable: true },
    updatePush: { level: "mentions" },
    putDevice: {
      provider: "webpush",
      subscription: {
        endpoint: "https://127.0.0.1/",
        keys: {
          p256dh:
            "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
          auth: "A".repeat(22),
        },
      },
    },
    createPost: { body: "a new post" },
    createComment: { body: "a comment" },
    editPost: { body: "edited" },
    uploadFile: { a: "file of JSON" },
    createReport: { subject: { user_id: scene.other }, reason: "spam" },
    resolveReport: { action: "none" },
    putWordRules: { rules: [] },
    readNotifications: { up_to_seq: 0 },
    sendNotification: { user_id: scene.other, type: "t", message: "a notification" },
    createConversation: { member_ids: [scene.unknown] },
    updateConversation: { title: "A title" },
    updateMember: { role: "moderator" },
    createInvite: {},
    banUser: {},
    addMembers: { user_ids: [scene.other] },
    sendMessage: { client_id: `c${calls}`, body: "a message" },
    scheduleMessage: {
      client_id: `s${calls}`,
      body: "later",
      send_at: new Date(Date.now() + 3_600_000).toISOString(),
    },
    updateScheduled: { body: "edited" },
    appendMessage: { offset: 0, text: "more" },
    endMessage: { state: "done" },
    editMessage: { body: "edited" },
    markRead: { seq: 1 },
    signalConversation: { type: "wave" },
    putExternalConversation: { kind: "group", member_ids: [scene.other] },
    putExternalUser: { display_name: "Somebody" },
    putExternalUsers: { users: [{ external_id: `batch:${calls}` }] },
    mintToken: {},
    setPassword: { password: PASSWORD },
    setPrefs: { pinned: true },
    createActor: { args: {}, call_id: `c${calls}` },
    callActor: { call_id: `c${calls}` },
    createWebhook: { url: "https://127.0.0.1/", types: ["message.*"] },
    updateWebhook: { batch: true },
    replayWebhook: { after: "oldest" },
    unparkWebhook: {},
  };
  return bodies[route];
}

function pathOf(route: RouteName, scene: Scene): string {
  const { path } = ROUTES[route];
  const isUnknown = ["endLogin", "resolveReport", "getJob", "getExport"].includes(route);
  if (route === "eraseUser") return `${path.replace(":id", "999999999")}?messages=keep`;
  const isOther = path.startsWith("/api/webhooks") || path.startsWith("/api/scheduled/");
  if (isUnknown || isOther) return path.replace(":id", "999999999");
  const id = path.includes("/users/")
    ? scene.other
    : path.startsWith("/api/files/")
      ? scene.file
      : path.startsWith("/api/posts/")
        ? scene.post
        : scene.conversation;
  const filled = path
    .replace(":user_id", scene.removes)
    .replace(":id", id)
    .replace(":invite_id", "999999999")
    .replace(":token", "no-such-token")
    .replace(":seq", String(scene.seq))
    .replace(":external_id", `shop:${calls}`)
    .replace(":jti", "unknown")
    .replace(":comment_id", "999999999")
    .replace(":device_id", "phone")
    .replace(":kind", "unknown")
    .replace(":action", "act")
    .replace(":key", path.startsWith("/api/actors/") ? "k1" : encodeURIComponent("👍"));
  if (route === "opsFindMessage") return `${filled}?conversation_id=${id}&seq=1`;
  if (route === "findUser" || route === "opsFindUser")
    return `${filled}?username=${people.owner.user.username}`;
  if (route === "searchMessages") return `${filled}?q=hello`;
  if (route === "searchUsers") return `${filled}?q=${people.owner.user.username}`;
  if (route === "streamMessage" || route === "pipeMessage") return `${filled}?client_id=p${calls}`;
  if (route === "listPresence") return `${filled}?user_ids=${scene.other}`;
  return filled;
}

function payloadOf(event: ClientEventName, scene: Scene, who: Who): object {
  calls++;
  const { seq, post, other } = scene;
  const conversation_id = scene.conversation;
  const payloads: Record<ClientEventName, object> = {
    send_message: { conversation_id, client_id: `c${calls}`, body: "a message" },
    join_conversation: { conversation_id },
    leave_conversation: { conversation_id },
    typing: { conversation_id, is_typing: true },
    signal: { conversation_id, type: "wave" },
    mark_delivered: { conversation_id, seq: 1 },
    mark_read: { conversation_id, seq: 1 },
    append_message: { conversation_id, seq, offset: 0, text: "more" },
    end_message: { conversation_id, seq, state: "done" },
    edit_message: { conversation_id, seq, body: "edited" },
    delete_message: { conversation_id, seq },
    set_prefs: { conversation_id, archived: true },
    react: { conversation_id, seq, key: "👍", on: true },
    create_actor: { kind: "room", key: "a", args: {}, call_id: `c${calls}` },
    call: { kind: "room", key: "a", action: "enter", call_id: `c${calls}` },
    watch_actor: { kind: "room", key: "a" },
    unwatch_actor: { kind: "room", key: "a" },
    sync: { conversations: [{ conversation_id, after_rev: 0 }], complete: false },
    watch_presence: { user_ids: [other] },
    unwatch_presence: { user_ids: [other] },
    set_status: { status: "away" },
    watch_posts: { post_ids: [post] },
    unwatch_posts: { post_ids: [post] },
    refresh_token: { token: tokens[who] },
  };
  return payloads[event];
}

async function sessionOf(who: Who, token: string): Promise<Session> {
  const open = sessions.get(who);
  if (open?.isConnected) return open;
  const session = await Session.open(troupe(), who, { token });
  sessions.set(who, session);
  return session;
}

const cellsOf = (row: string): Record<Who, string> => {
  const cells = row.trim().split(/\s+/);
  if (cells.length !== WHO.length) throw new Error(`a row of ${cells.length} cells: ${row}`);
  return Object.fromEntries(WHO.map((who, i) => [who, cells[i]])) as Record<Who, string>;
};

/** Owners last: what they do may take the thing away. */
const ORDER = [...WHO].reverse();

describe("who may do what", () => {
  it("[AUZ7] the table names every route and every event there is", () => {
    expect(Object.keys(ROUTE_TABLE).sort()).toEqual(Object.keys(ROUTES).sort());
    expect(Object.keys(EVENT_TABLE).sort()).toEqual(Object.keys(CLIENT_EVENTS).sort());
  });

  it.each(Object.entries(ROUTE_TABLE) as [RouteName, string][])(
    "[AUZ8] over HTTP: %s",
    async (route, row) => {
      const sceneOf = await newScene();
      const found: Partial<Record<Who, string>> = {};
      for (const who of ORDER) {
        const scene = sceneOf(who);
        const api = new Api(troupe().url, () => tokens[who]);
        const fresh = LOGINS.includes(route)
          ? await people.stranger.signsInAgain()
          : people.stranger;
        const body = bodyOf(route, scene, fresh);
        const { status } = await api.request(ROUTES[route].method, pathOf(route, scene), body);
        found[who] = status < 300 ? "ok" : String(status);
        if (who === "blocked" && scene.seq !== undefined && route !== "deleteMessage") {
          ownSeqs.unshift(scene.seq);
        }
        if (route === "blockUser") await api.delete(pathOf(route, scene));
      }
      expect(found).toEqual(cellsOf(row));
    },
  );

  it.each(MORE_SERVICES)("[AUZ11] over HTTP: a service token with the scope %s", async (scope) => {
    const token = await serviceTokenOf(JWT_SECRET, [scope]);
    const api = new Api(troupe().url, () => token);
    const scene = (await newScene())("stranger");
    for (const [route, row] of Object.entries(ROUTE_TABLE) as [RouteName, string][]) {
      if (cellsOf(row).none === "ok") continue;
      const body = bodyOf(route, scene, people.stranger);
      const { status } = await api.request(ROUTES[route].method, pathOf(route, scene), body);
      const found = status < 300 ? "ok" : String(status);
      expect(found, route).toBe(MORE_MAY[scope][route] ?? "403");
    }
  });

  it("[AUZ12] over HTTP: a service that acts for a member may what the member may, but in person", async () => {
    const token = await serviceTokenOf(JWT_SECRET, ["act"]);
    const api = new Api(troupe().url, () => token);
    const named = { headers: { "troupe-act-as": people.member.id } };
    for (const [route, row] of Object.entries(ROUTE_TABLE) as [RouteName, string][]) {
      if (cellsOf(row).none === "ok") continue;
      const scene = (await newScene())("member");
      const body = bodyOf(route, scene, people.member);
      const method = ROUTES[route].method;
      const { status } = await api.request(method, pathOf(route, scene), body, named);
      const found = status < 300 ? "ok" : String(status);
      expect(found, route).toBe(IN_PERSON.has(route) ? "403" : cellsOf(row).member);
      if (route === "blockUser") await people.member.api.delete(pathOf(route, scene));
    }
  });

  it.each(Object.entries(EVENT_TABLE) as [ClientEventName, string][])(
    "[AUZ9] over a socket: %s",
    async (event, row) => {
      const sceneOf = await newScene();
      const found: Partial<Record<Who, string>> = {};
      for (const who of ORDER) {
        const scene = sceneOf(who);
        const token = tokens[who];
        if (SERVICES.has(who) || token === null) {
          // No event without a session, and no session for them.
          const { code } = await Session.refused(troupe(), { token });
          found[who] = String(ERROR_STATUS[code]);
          continue;
        }
        const session = await sessionOf(who, token);
        const { ok, error } = await session.emits(event, payloadOf(event, scene, who));
        found[who] = ok ? "ok" : String(ERROR_STATUS[error?.code as ErrorCode]);
        if (who === "blocked" && event !== "delete_message") ownSeqs.unshift(scene.seq);
        await session.disconnects();
      }
      expect(found).toEqual(cellsOf(row));
    },
  );

  it("[AUZ10] what a list or a difference must not show is not in it", async () => {
    const sceneOf = await newScene();
    for (const who of ["former", "stranger"] as const) {
      const { conversation } = sceneOf(who);
      const session = await people[who].connects();
      const synced = await session.syncs({ [conversation]: 1 }, { complete: false });
      expect(synced).toMatchObject({ conversations: [], removed: [conversation], receipts: [] });
      const listed = await people[who].lists<{ id: string }>("/api/conversations");
      expect(listed.map(({ id }) => id)).not.toContain(conversation);
    }
    const scene = sceneOf("blocked");
    const session = await people.blocked.connects();
    expect(await session.does("watch_posts", { post_ids: [scene.post] })).toMatchObject({
      posts: [],
    });
    await people.blocker.connects();
    const { statuses } = await session.does("watch_presence", { user_ids: [people.blocker.id] });
    expect(statuses).toMatchObject([{ status: "offline", last_seen_at: null }]);
  });
});
