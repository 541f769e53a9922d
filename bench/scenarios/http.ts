/** Scenarios over HTTP: likes, comments, messages, history, feed, login. */
import type { Resident } from "../town.ts";
import { type HttpRequest, loadHttp } from "./http-load.ts";
import {
  clientsOf,
  connectAll,
  groupsOf,
  type Scenario,
  type Stage,
  WARM_UP_S,
  withFleet,
} from "./scenario.ts";

const CONNECTIONS = 50;
const WATCHERS = 100;
const JSON_TYPE = { "content-type": "application/json" };
const COMMENT = "Well said; I could not have put it better.";

function by(who: Resident): { authorization: string } {
  return { authorization: `Bearer ${who.token}` };
}

/** A post whose counts `WATCHERS` connected clients watch, while `connections` people act. */
async function hotPost(
  name: string,
  stage: Stage,
  unit: string,
  letter: string,
  requestsOf: (post: string, who: Resident) => HttpRequest[],
) {
  const { town } = stage.stack;
  const connections = clientsOf(stage, CONNECTIONS);
  const [author, ...others] = await town.people(1 + connections + WATCHERS);
  const watchers = others.slice(connections);
  const [post = ""] = await town.posts([author!]);
  await town.settle();
  return withFleet(WATCHERS, async (fleet) => {
    await connectAll(stage, fleet, watchers);
    const payload = JSON.stringify({ post_ids: [post] });
    await fleet.ask(
      watchers.map((_, client) => ({ client, event: "watch_posts", payload })),
      50,
    );
    const before = await fleet.count();
    const outcome = await loadHttp(name, stage, {
      connections,
      unit,
      requestsOf: (connection) => requestsOf(post, others[connection % connections]!),
    });
    const after = await fleet.heard(letter, Number.POSITIVE_INFINITY, 500);
    const heard = (after.heardByLetter[letter] ?? 0) - (before.heardByLetter[letter] ?? 0);
    return {
      ...outcome,
      extra: {
        ...outcome.extra,
        "updates a second heard by a watcher": heard / WATCHERS / (WARM_UP_S + stage.plan.seconds),
      },
    };
  });
}

/** Each connection likes and takes it back by turns, so that every request changes the count. */
export const LIKES: Scenario = {
  name: "likes",
  title: "one hot post, 50 people like and unlike it, 100 connected clients watch its count",
  run: (stage) =>
    hotPost("likes", stage, "like", "l", (post, who) => [
      { method: "POST", path: `/api/posts/${post}/like`, headers: by(who) },
      { method: "DELETE", path: `/api/posts/${post}/like`, headers: by(who) },
    ]),
};

export const COMMENTS: Scenario = {
  name: "comments",
  title: "one hot post, 50 people comment on it, 100 connected clients watch its count",
  run: (stage) =>
    hotPost("comments", stage, "comment", "c", (post, who) => [
      {
        method: "POST",
        path: `/api/posts/${post}/comments`,
        headers: { ...by(who), ...JSON_TYPE },
        body: JSON.stringify({ body: COMMENT }),
      },
    ]),
};

export const MESSAGES: Scenario = {
  name: "messages",
  title: "50 people send over HTTP, each into a conversation of their own",
  async run(stage) {
    const { town } = stage.stack;
    const connections = clientsOf(stage, CONNECTIONS);
    const residents = await town.people(2 * connections);
    const talks = await town.conversations(groupsOf(residents, 2));
    await town.settle();
    return loadHttp("messages", stage, {
      connections,
      unit: "message",
      requestsOf: (connection) => {
        const at = connection % connections;
        return [
          {
            method: "POST",
            path: `/api/conversations/${talks[at]}/messages`,
            headers: { ...by(residents[2 * at]!), ...JSON_TYPE },
            body: '{"client_id":"[<id>]","body":"See you at eight, and bring the umbrella."}',
          },
        ];
      },
    });
  },
};

const HISTORY_LENGTH = 200;

export const HISTORY: Scenario = {
  name: "history",
  title: "50 people read the newest 50 messages of a conversation, kept-alive where it is offered",
  async run(stage) {
    const { town } = stage.stack;
    const connections = clientsOf(stage, CONNECTIONS);
    const residents = await town.people(2 * connections);
    const pairs = groupsOf(residents, 2);
    const talks = await town.conversations(pairs);
    const senders = pairs.map((members) => members[0]!);
    await town.messages(talks, senders, stage.stack.isOwn ? HISTORY_LENGTH : 50);
    await town.settle();
    return loadHttp("history", stage, {
      connections,
      unit: "read",
      requestsOf: (connection) => [
        {
          method: "GET",
          path: `/api/conversations/${talks[connection % connections]}/messages?limit=50`,
          headers: by(senders[connection % connections]!),
        },
      ],
    });
  },
};

const FOLLOWED = 20;
const POSTS_EACH = 5;

export const FEED: Scenario = {
  name: "feed",
  title: "50 people read the newest posts of 20 others each",
  async run(stage) {
    const { town } = stage.stack;
    const connections = clientsOf(stage, CONNECTIONS);
    const readers = await town.people(connections);
    const authors = await town.people(FOLLOWED * 2);
    for (let round = 0; round < POSTS_EACH; round++) await town.posts(authors);
    await town.follows(
      readers.flatMap((reader, i) =>
        Array.from({ length: FOLLOWED }, (_, n): [Resident, Resident] => [
          reader,
          authors[(i + n) % authors.length]!,
        ]),
      ),
    );
    await town.settle();
    return loadHttp("feed", stage, {
      connections,
      unit: "read",
      requestsOf: (connection) => [
        {
          method: "GET",
          path: "/api/feed?limit=20",
          headers: by(readers[connection % connections]!),
        },
      ],
    });
  },
};

const LOGIN_CONNECTIONS = 10;
/** On a busy machine one round of hashes takes longer than a second. */
const LOGIN_SECONDS_MIN = 4;
const PASSWORD = "a password of the bench";

/** Dominated by the password's hash, which is meant to be slow: a floor, not a race. */
export const LOGIN: Scenario = {
  name: "login",
  title: "10 people log in again and again; a password hash each",
  async run(stage) {
    const connections = clientsOf(stage, LOGIN_CONNECTIONS);
    const run = Date.now().toString(36);
    const bodies: string[] = [];
    for (let i = 0; i < connections; i++) {
      const body = JSON.stringify({ username: `login_${run}_${i}`, password: PASSWORD });
      const answer = await fetch(`${stage.stack.url}/api/auth/register`, {
        method: "POST",
        headers: JSON_TYPE,
        body,
        signal: AbortSignal.timeout(10_000),
      });
      if (!answer.ok) throw new Error(`register answered ${answer.status}`);
      bodies.push(body);
    }
    const seconds = Math.max(LOGIN_SECONDS_MIN, stage.plan.seconds);
    return loadHttp(
      "login",
      { ...stage, plan: { ...stage.plan, seconds } },
      {
        connections,
        unit: "login",
        requestsOf: (connection) => [
          {
            method: "POST",
            path: "/api/auth/login",
            headers: JSON_TYPE,
            body: bodies[connection % connections]!,
          },
        ],
      },
    );
  },
};
