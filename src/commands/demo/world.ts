/**
 * The demo world, made through the public API: people, conversations with roles, reactions and
 * threads, follows, posts with likes and comments. Run again it finds what it made before, and adds nothing twice.
 */
import type { ConversationSummary } from "../../protocol/conversation-list.ts";
import type { Conversation, Message } from "../../protocol/schemas.ts";
import type { Post } from "../../protocol/social.ts";
import { CHAT, COMMENTS, GROUPS, POSTS, pick, pickSome, REACTIONS, REPLIES } from "./lines.ts";
import type { Person } from "./person.ts";

const FOLLOWS_EACH = 4;
const LIKES_MAX = 6;
/** How many lines a conversation has before the demo starts. */
const OPENING_LINES = 5;
const GROUP_SIZE = 6;
/** How many replies a group's thread has before the demo starts. */
const OPENING_REPLIES = 3;
const NEW = { lastSeq: 0, thread: null } as const;

export interface Talk {
  id: string;
  members: Person[];
  /** The next lines of the conversation, in order. */
  lines: readonly string[];
  at: number;
  /** The newest message that the demo knows of. */
  lastSeq: number;
  /** The thread of its first line; null in a direct conversation. */
  thread: string | null;
}

export interface World {
  people: Person[];
  talks: Talk[];
  posts: Post[];
}

export async function makeWorld(people: Person[]): Promise<World> {
  const talks = [...(await makePairs(people)), ...(await makeGroups(people))];
  for (const person of people) {
    const at = people.indexOf(person);
    for (let n = 1; n <= FOLLOWS_EACH; n++) {
      const other = people[(at + n * n) % people.length]!;
      if (other !== person) await person.call("POST", `/api/users/${other.user.id}/follow`);
    }
  }
  const posts = await makePosts(people);
  for (const talk of talks) {
    const root = await openTalk(talk);
    if (talk.lines !== CHAT) talk.thread = await openThread(talk, root);
  }
  return { people, talks, posts };
}

/** Pairs each person with the next one, and the last with the first. */
async function makePairs(people: Person[]): Promise<Talk[]> {
  const talks: Talk[] = [];
  for (const [at, person] of people.entries()) {
    const other = people[(at + 1) % people.length]!;
    const body = { member_ids: [other.user.id] };
    const { id } = await person.call<Conversation>("POST", "/api/conversations", body);
    talks.push({ ...NEW, id, members: [person, other], lines: CHAT, at: at * 3 });
  }
  return talks;
}

async function makeGroups(people: Person[]): Promise<Talk[]> {
  const talks: Talk[] = [];
  for (const [n, { title, lines }] of GROUPS.entries()) {
    const members = membersOf(people, n);
    const owner = members[0]!;
    const id =
      (await ownGroup(owner, title)) ??
      (
        await owner.call<Conversation>("POST", "/api/conversations", {
          member_ids: members.filter((one) => one !== owner).map(({ user }) => user.id),
          title,
        })
      ).id;
    talks.push({ ...NEW, id, members, lines, at: 0 });
    await giveRoles(id, members);
  }
  return talks;
}

/**
 * The members of the `n`th group, its owner first: half of the people, or all of them where that
 * half is nobody but the owner.
 */
export function membersOf<P>(people: readonly P[], n: number): P[] {
  const ownerAt = n % people.length;
  const others = people.filter((_, at) => at !== ownerAt);
  const half = people.filter((_, at) => at !== ownerAt && (at + n) % 2 === 0);
  return [people[ownerAt]!, ...(half.length > 0 ? half : others)].slice(0, GROUP_SIZE);
}

async function ownGroup(owner: Person, title: string): Promise<string | null> {
  const page = await owner.call<{ items: ConversationSummary[] }>(
    "GET",
    "/api/conversations?limit=100",
  );
  const group = page.items.find(
    (one) => one.title === title && one.kind === "group" && one.owner_id === owner.user.id,
  );
  return group?.id ?? null;
}

async function makePosts(people: Person[]): Promise<Post[]> {
  const posts: Post[] = [];
  for (const [n, body] of POSTS.entries()) {
    const author = people[n % people.length]!;
    const feed = await author.call<{ items: Post[] }>("GET", "/api/feed?limit=100");
    const before = feed.items.find(
      (post) => post.body === body && post.author_id === author.user.id,
    );
    const post = before ?? (await author.call<Post>("POST", "/api/posts", { body }));
    posts.push(post);
    if (before !== undefined) continue;
    for (const fan of pickSome(people, 1 + Math.floor(Math.random() * LIKES_MAX))) {
      if (fan !== author) await fan.call("POST", `/api/posts/${post.id}/like`);
    }
    const critic = pick(people.filter((one) => one !== author));
    await critic.call("POST", `/api/posts/${post.id}/comments`, { body: pick(COMMENTS) });
  }
  return posts;
}

/**
 * Uses the same `client_id` each time, so that the line is sent once however often the demo runs.
 */
async function openTalk(talk: Talk): Promise<Message> {
  const said: Message[] = [];
  for (let n = 0; n < OPENING_LINES; n++) {
    const speaker = talk.members[n % talk.members.length]!;
    const message = await speaker.call<Message>("POST", `/api/conversations/${talk.id}/messages`, {
      client_id: `demo-opening-${n}`,
      body: talk.lines[(talk.at + n) % talk.lines.length]!,
    });
    said.push(message);
    const key = REACTIONS[n % REACTIONS.length]!;
    const fan = talk.members[(n + 1) % talk.members.length]!;
    await react(fan, talk.id, message.seq, key, true);
  }
  talk.at += OPENING_LINES;
  talk.lastSeq = said.at(-1)!.seq;
  return said[0]!;
}

/** The first member is the owner; the second one becomes an admin, the third a moderator. */
async function giveRoles(id: string, [owner, ...others]: Person[]): Promise<void> {
  for (const [n, role] of ["admin", "moderator"].entries()) {
    const other = others[n];
    if (other === undefined) return;
    await owner!.call("PATCH", `/api/conversations/${id}/members/${other.user.id}`, { role });
  }
}

async function openThread({ id, members }: Talk, { seq }: Message): Promise<string> {
  const path = `/api/conversations/${id}/messages/${seq}/thread`;
  const thread = await members[0]!.call<Conversation>("POST", path);
  for (let n = 0; n < OPENING_REPLIES; n++) {
    const speaker = members[(n + 1) % members.length]!;
    const body = { client_id: `demo-reply-${n}`, body: REPLIES[n % REPLIES.length]! };
    await speaker.call("POST", `/api/conversations/${thread.id}/messages`, body);
  }
  return thread.id;
}

export async function react(
  person: Person,
  id: string,
  seq: number,
  key: string,
  on: boolean,
): Promise<void> {
  const path = `/api/conversations/${id}/messages/${seq}/reactions/${encodeURIComponent(key)}`;
  await person.call(on ? "PUT" : "DELETE", path);
}
