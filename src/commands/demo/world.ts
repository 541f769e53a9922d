/**
 * The demo world, made through the public API: people, conversations, follows, posts with likes
 * and comments. Run again it finds what it made before, and adds nothing twice.
 */
import type { ConversationSummary } from "../../protocol/conversation-list.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import type { Post } from "../../protocol/social.ts";
import { CHAT, COMMENTS, GROUPS, POSTS, pick, pickSome } from "./lines.ts";
import type { Person } from "./person.ts";

const FOLLOWS_EACH = 4;
const LIKES_MAX = 6;
/** How many lines a conversation has before the demo starts. */
const OPENING_LINES = 5;
const GROUP_SIZE = 6;

export interface Talk {
  id: string;
  members: Person[];
  /** The next lines of the conversation, in order. */
  lines: readonly string[];
  at: number;
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
  for (const talk of talks) await openTalk(talk);
  return { people, talks, posts };
}

/** Pairs each person with the next one, and the last with the first. */
async function makePairs(people: Person[]): Promise<Talk[]> {
  const talks: Talk[] = [];
  for (const [at, person] of people.entries()) {
    const other = people[(at + 1) % people.length]!;
    const body = { member_ids: [other.user.id] };
    const { id } = await person.call<Conversation>("POST", "/api/conversations", body);
    talks.push({ id, members: [person, other], lines: CHAT, at: at * 3 });
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
    talks.push({ id, members, lines, at: 0 });
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
async function openTalk(talk: Talk): Promise<void> {
  for (let n = 0; n < OPENING_LINES; n++) {
    const speaker = talk.members[n % talk.members.length]!;
    await speaker.call("POST", `/api/conversations/${talk.id}/messages`, {
      client_id: `demo-opening-${n}`,
      body: talk.lines[(talk.at + n) % talk.lines.length]!,
    });
  }
  talk.at += OPENING_LINES;
}
