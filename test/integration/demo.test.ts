/** `troupe demo` as it is typed, against a whole Troupe, and what somebody who signs in then sees. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { DEMO_PASSWORD } from "../../src/commands/demo/demo.ts";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Conversation, Message, Tokens } from "../../src/protocol/schemas.ts";
import type { Post } from "../../src/protocol/social.ts";
import { eventually, within } from "../support/eventually.ts";
import { Api } from "../support/http.ts";
import { expectStatus } from "../support/person.ts";
import { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const CLI = fileURLToPath(new URL("../../dist/src/cli.js", import.meta.url));
const ENDS_WITHIN_MS = 40_000;
const PEOPLE = 6;

/** A demo under way. */
function begins(...args: string[]) {
  const { PATH = "", HOME = "/" } = process.env;
  const child = spawn(process.execPath, [CLI, "demo", ...args], { env: { PATH, HOME } });
  const said = { text: "" };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said.text += chunk;
    });
  }
  const code = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, said, ends: () => within("the demo ends", code, ENDS_WITHIN_MS) };
}

describe("troupe demo", () => {
  const troupe = troupeForFile();

  async function signsIn(username: string): Promise<{ api: Api; tokens: Tokens }> {
    const body = { username, password: DEMO_PASSWORD };
    const tokens = expectStatus(await troupe().http.post<Tokens>("/api/auth/login", body), 200);
    return { tokens, api: new Api(troupe().url, () => tokens.access_token) };
  }

  async function world(api: Api): Promise<{ talks: ConversationSummary[]; posts: Post[] }> {
    const talks = await api.get<{ items: ConversationSummary[] }>("/api/conversations?limit=100");
    const posts = await api.get<{ items: Post[] }>("/api/feed?limit=100");
    return { talks: expectStatus(talks, 200).items, posts: expectStatus(posts, 200).items };
  }

  test("[DEM2] who signs in finds conversations, groups, posts and people who go on talking", async () => {
    const demo = begins(
      "--url",
      troupe().url,
      "--for",
      "5s",
      "--people",
      String(PEOPLE),
      "--rate",
      "600",
    );
    await eventually(
      "the demo says how to sign in",
      () => demo.said.text.includes("password  troupe-demo"),
      ENDS_WITHIN_MS,
    );
    const { tokens } = await signsIn("demo_amber");
    const listener = await Session.open(troupe(), "listener", { token: tokens.access_token });
    await listener.next("message");
    await listener.next("typing", ({ is_typing }) => is_typing);
    expect(await demo.ends()).toBe(0);
    expect(demo.said.text).toMatch(/Said: [1-9]\d* messages/);
    expect(demo.said.text).not.toContain("did not work");

    const { api } = await signsIn("demo_amber");
    const { talks, posts } = await world(api);
    expect(talks.filter(({ kind }) => kind === "direct")).toHaveLength(2);
    expect(talks.some(({ kind, title }) => kind === "group" && title !== null)).toBe(true);
    for (const talk of talks) expect(talk.last_seq).toBeGreaterThanOrEqual(5);
    const group = talks.find(({ kind }) => kind === "group")!;
    const whole = await api.get<Conversation>(`/api/conversations/${group.id}`);
    const roles = expectStatus(whole, 200).members.map(({ role }) => role);
    expect(roles).toEqual(expect.arrayContaining(["admin", "moderator"]));
    const history = await api.get<{ items: Message[] }>(
      `/api/conversations/${group.id}/messages?after_seq=0&limit=5`,
    );
    const [root, ...rest] = expectStatus(history, 200).items;
    for (const message of [root!, ...rest]) expect(message.reactions).not.toBeUndefined();
    const thread = await api.post<Conversation>(
      `/api/conversations/${group.id}/messages/${root!.seq}/thread`,
    );
    expect(expectStatus(thread, 200).last_seq).toBeGreaterThanOrEqual(3);
    expect(posts.length).toBeGreaterThan(2);
    expect(posts.some(({ like_count, comment_count }) => like_count > 0 && comment_count > 0)).toBe(
      true,
    );
  });

  test("[DEM3] run again it finds its world and makes nothing twice; Ctrl-C ends it", async () => {
    const { api } = await signsIn("demo_birch");
    const before = await world(api);
    const demo = begins("--url", troupe().url, "--people", String(PEOPLE));
    await eventually(
      "the demo goes on",
      () => demo.said.text.includes("people talk now"),
      ENDS_WITHIN_MS,
    );
    demo.child.kill("SIGINT");
    expect(await demo.ends()).toBe(0);
    const after = await world(api);
    const ids = (items: { id: string }[]) => items.map(({ id }) => id).sort();
    expect(ids(after.talks)).toEqual(ids(before.talks));
    expect(ids(after.posts)).toEqual(ids(before.posts));
  });

  test("[DEM4] it refuses another machine unless that is meant, and says so where nobody answers", async () => {
    const far = begins("--url", "http://192.0.2.1:3000", "--for", "1s");
    expect(await far.ends()).toBe(1);
    expect(far.said.text).toContain("--yes");
    const nobody = begins("--url", "http://127.0.0.1:9", "--for", "1s");
    expect(await nobody.ends()).toBe(1);
    expect(nobody.said.text).toContain("does not answer");
    const wrong = begins("--people", "1000");
    expect(await wrong.ends()).toBe(2);
    expect(wrong.said.text).toContain("Usage: troupe demo");
  });
});
