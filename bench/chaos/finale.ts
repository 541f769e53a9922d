/**
 * The end of a run, after the load has stopped: waits until nothing changes any more, then asks
 * the server for its state, and lets some people leave for good. It records everything; the
 * checker judges it.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Prefs } from "../../src/protocol/prefs.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { api } from "../support/api.ts";
import { until } from "../support/waiting.ts";
import type {
  FinalConversation,
  FinalFacts,
  FinalPrefs,
  FinalUnread,
  Recorder,
} from "./history.ts";
import { probePresence } from "./probes.ts";
import { factOf, prefsFact } from "./replica.ts";
import { anyHost, type Person, type Scene, type Thread } from "./scene.ts";
import { shownTyping } from "./sessions.ts";
import type { World } from "./world.ts";

const SETTLED_WITHIN_MS = 15_000;
const TYPING_ENDS_WITHIN_MS = 9000;
const PAGE = 100;
const RECOUNT_MS = 30_000;
const SUMMARIES_WITHIN_MS = 5_000;
/** How many people leave for good at the end. */
const LEAVERS = 2;

export async function askFinalFacts(
  world: World,
  scene: Scene,
  recorder: Recorder,
): Promise<FinalFacts> {
  const ports = world.hosts.map((host) => host.port);
  // A thread's last summary changes its root a few seconds after the last reply or deletion.
  await delay(SUMMARIES_WITHIN_MS);
  await until(() => scene.clients.every((client) => client.isSettled), SETTLED_WITHIN_MS);
  await until(() => hasConverged(ports, scene), SETTLED_WITHIN_MS, 200);
  // Taken before any reconnect, so that faults which a reconnect would hide show here.
  const replicas = scene.clients.map((client) => ({
    client: client.index,
    conversations: client.replica.final(client.contract === "1.1"),
    ...(client.contract === "1.1" && { prefs: client.replica.finalPrefs() }),
  }));
  const seen = {
    clients: scene.clients.map(({ name, user, contract }) => ({ name, user, contract })),
    records: recorder.records,
  };
  const isTypingShown = () => {
    const parents = new Map(scene.threads.map(({ id, parent }) => [id, parent]));
    return shownTyping(seen, recorder.nowMs(), parents).length > 0;
  };
  await until(() => !isTypingShown(), TYPING_ENDS_WITHIN_MS, 100);
  let typing = await askTyping(scene);
  // Sessions that began after somebody started typing were not sent that; typing ends within 5 s.
  const untilMs = recorder.nowMs() + TYPING_ENDS_WITHIN_MS;
  while (typing.some(({ users }) => users.length > 0) && recorder.nowMs() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    typing = await askTyping(scene);
  }
  const conversations: FinalConversation[] = [];
  for (const id of scene.conversations) {
    conversations.push(await askConversation(ports, memberOf(scene, id), id));
  }
  for (const thread of scene.threads) {
    const found = await askConversation(ports, memberOf(scene, thread.parent), thread.id);
    const { parent, seq } = thread;
    const members = await askFollowers(ports, scene, thread);
    conversations.push({ ...found, members, parent: { conversation: parent, seq } });
  }
  for (const one of conversations) one.reactors = await askReactors(world.database.url, one.id);
  const unread: FinalUnread[] = [];
  for (const person of scene.people) unread.push(await askUnread(ports, person));
  await probePresence("at the end", world.hosts, scene, recorder);
  const leavers = scene.people.slice(0, LEAVERS);
  for (const client of leavers.flatMap((person) => person.clients)) client.rest();
  await probePresence("after some have left", world.hosts, scene, recorder);
  await until(
    () => leavers.every((person) => person.clients.every((one) => one.hasRestedFor(7000))),
    SETTLED_WITHIN_MS,
  );
  await probePresence("of those who have left", world.hosts, scene, recorder, 3000);
  const recount = await askRecount(world.database.url);
  return { conversations, replicas, unread, typing, recount };
}

/** Whether each client has the server's `rev` of every conversation. */
async function hasConverged(ports: number[], scene: Scene): Promise<boolean> {
  for (const id of scene.conversations) {
    const { token } = memberOf(scene, id).login;
    const path = `/api/conversations/${id}`;
    const answer = await anyHost(ports, (port) => api<Conversation>(port, "GET", path, { token }));
    if (answer.body === null || answer.status !== 200) return false;
    const { rev, members } = answer.body;
    const inIt = new Set(members.map((member) => member.user_id));
    const behind = scene.clients.find(
      (client) => inIt.has(client.user) && client.replica.revOf(id) !== rev,
    );
    if (behind !== undefined) return false;
  }
  for (const { id, parent } of scene.threads) {
    const { token } = memberOf(scene, parent).login;
    const path = `/api/conversations/${id}`;
    const answer = await anyHost(ports, (port) => api<Conversation>(port, "GET", path, { token }));
    const rev = answer.body?.rev;
    if (rev === undefined || answer.status !== 200) return false;
    const isBehind = scene.clients.some(
      ({ replica }) => replica.has(id) && replica.revOf(id) !== rev,
    );
    if (isBehind) return false;
  }
  return true;
}

/** A member who never leaves the conversation. */
function memberOf(scene: Scene, id: string): Person {
  const staying = scene.people.filter((person) => !scene.door.floaters.includes(person));
  const found =
    id === scene.door.id
      ? scene.door.owner
      : (staying.find((person) => person.clients[0]!.replica.has(id)) ??
        scene.people.find((person) => person.clients[0]!.replica.has(id)));
  return found ?? scene.people[0]!;
}

async function askTyping(scene: Scene): Promise<FinalFacts["typing"]> {
  const typing: FinalFacts["typing"] = [];
  for (const conversation_id of scene.conversations) {
    const client = memberOf(scene, conversation_id).clients[0]!;
    const outcome = await client.does("join_conversation", { conversation_id, limit: 1 });
    if (!outcome.ok) throw new Error(`join_conversation at the end: ${outcome.code}`);
    typing.push({ conversation: conversation_id, users: outcome.answer.typing });
  }
  return typing;
}

async function askConversation(
  ports: number[],
  person: Person,
  id: string,
): Promise<FinalConversation> {
  const found = await asked<Conversation>(ports, person, `/api/conversations/${id}`);
  const messages: Message[] = [];
  for (let isMore = true; isMore; ) {
    const after = messages.at(-1)?.seq ?? 0;
    const path = `/api/conversations/${id}/messages?after_seq=${after}&limit=${PAGE}`;
    const page = await asked<{ items: Message[]; has_more: boolean }>(ports, person, path);
    messages.push(...page.items);
    isMore = page.has_more && page.items.length > 0;
  }
  return {
    id,
    kind: found.kind,
    rev: found.rev,
    lastSeq: found.last_seq,
    members: found.members.map((member) => ({
      user: member.user_id,
      deliveredSeq: member.delivered_seq,
      readSeq: member.read_seq,
      role: member.role ?? "member",
    })),
    messages: messages.map(factOf),
    pinned: messages.filter((message) => message.pinned_at !== undefined).map(({ seq }) => seq),
    reactors: [],
  };
}

/** Everybody is asked for themselves: a thread names nobody else. */
async function askFollowers(
  ports: number[],
  scene: Scene,
  { id }: Thread,
): Promise<FinalConversation["members"]> {
  const followers: FinalConversation["members"] = [];
  for (const person of scene.people) {
    if (person.login.isStale) await person.login.renew(ports[0]!);
    const { token } = person.login;
    const { status, body } = await anyHost(ports, (port) =>
      api<Conversation>(port, "GET", `/api/conversations/${id}`, { token }),
    );
    const own = body?.members?.find((member) => member.user_id === person.userId);
    if (status !== 200 || own === undefined) continue;
    const { user_id: user, delivered_seq: deliveredSeq, read_seq: readSeq } = own;
    followers.push({ user, deliveredSeq, readSeq });
  }
  return followers;
}

/** As the rows say, which everything else about reactions is counted from. */
async function askReactors(url: string, id: string): Promise<FinalConversation["reactors"]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ seq: number; user: string; key: string }>(
      `SELECT r.seq::int AS seq, r.user_id::text AS "user", r.key FROM message_reactions r
       WHERE r.conversation_id = $1`,
      [id],
    );
    return rows;
  } finally {
    await client.end();
  }
}

/** `troupe recount`, as an operator runs it. */
async function askRecount(url: string): Promise<string[]> {
  const args = [process.argv[1] ?? "", "recount"];
  const env = { ...process.env, DATABASE_URL: url, JWT_SECRET: randomBytes(32).toString("hex") };
  try {
    await promisify(execFile)(process.execPath, args, { env, timeout: RECOUNT_MS });
    return [];
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    return [`${stdout ?? ""}${stderr ?? String(error)}`.trim()];
  }
}

async function askUnread(ports: number[], person: Person): Promise<FinalUnread> {
  const listed: ConversationSummary[] = [];
  for (const path of ["/api/conversations?filter=all", "/api/threads?"]) {
    const whole = `${path}&limit=${PAGE}`;
    listed.push(...(await asked<{ items: ConversationSummary[] }>(ports, person, whole)).items);
  }
  const prefs: FinalPrefs[] = [];
  const marks = new Map<string, number>();
  for (const { id } of listed) {
    const found = await asked<Prefs>(ports, person, `/api/conversations/${id}/prefs`);
    if (found.prefs_rev > 0) prefs.push(prefsFact(found));
    if (found.unread_from_seq !== undefined) marks.set(id, found.unread_from_seq);
  }
  return {
    user: person.userId,
    conversations: listed.map((one) => ({
      id: one.id,
      lastSeq: one.last_seq,
      readSeq: one.read_seq,
      unreadCount: one.unread_count,
      ...(marks.has(one.id) && { unreadFrom: marks.get(one.id)! }),
    })),
    prefs,
  };
}

async function asked<T>(ports: number[], person: Person, path: string): Promise<T> {
  if (person.login.isStale) await person.login.renew(ports[0]!);
  const { token } = person.login;
  const answer = await anyHost(ports, (port) => api<T>(port, "GET", path, { token }));
  if (answer.status !== 200 || answer.body === null) {
    throw new Error(`GET ${path} at the end answers ${answer.status}`);
  }
  return answer.body;
}
