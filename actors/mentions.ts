/**
 * `@username` in a text, and the notifications of the users mentioned.
 */
import type { Notice } from "../src/protocol/actor-ops.ts";
import type { UserId } from "../src/protocol/ids.ts";
import { shownName } from "../src/protocol/isolated.ts";
import type { Context } from "./behaviour.ts";
import { MENTIONS_MAX } from "./limits.ts";
import type { SocialPorts } from "./social-ports.ts";

/** Mentions every member, where the author may do that. It is nobody's username. */
export const MENTION_ALL = "all";

/** Not right after a letter, digit, dot, underscore or @, as in an address. */
const MENTION = /(?<![\p{L}\p{N}._@])@([A-Za-z0-9_.]+)/gu;
const NAME_MIN = 3;
const NAME_MAX = 32;

/** The folded usernames that a text may mention, in order, each once. */
export function mentionedNames(text: string): string[] {
  if (!text.includes("@")) return [];
  const names = new Set<string>();
  for (const [, found = ""] of text.matchAll(MENTION)) {
    const name = found.toLowerCase().replace(/\.+$/, "");
    if (name.length >= NAME_MIN && name.length <= NAME_MAX) names.add(name);
  }
  return [...names];
}

export interface Mentioning {
  by: UserId;
  /** The place of the text, for the notification. */
  where: Pick<Notice, "post_id" | "comment_id" | "data" | "conversation_id">;
}

export interface Mention extends Mentioning {
  text: string;
  /** Whether this user may see the text. */
  reaches(user: UserId): boolean;
}

/** Notifies the users that the text mentions. Best effort: the text itself is committed. */
export function notifyMentioned(ports: SocialPorts, mention: Mention, ctx: Context): void {
  const names = mentionedNames(mention.text).slice(0, MENTIONS_MAX);
  if (names.length === 0) return;
  ctx.run(
    ports.graph.idsByName(names),
    (ids) => {
      const users = [...new Set(ids.values())].filter((user) => mention.reaches(user));
      notifyUsers(ports, mention, users, ctx);
    },
    () => undefined,
  );
}

/** Tells these users, but for the author, that a text mentions them. Best effort. */
export function notifyUsers(
  { graph }: SocialPorts,
  { by, where }: Mentioning,
  users: readonly UserId[],
  ctx: Context,
): void {
  const others = users.filter((user) => user !== by);
  if (others.length === 0) return;
  ctx.run(
    graph.displayName(by),
    (name) => {
      const message = `${shownName(name)} mentioned you`;
      const notice: Notice = { type: "mention", message, actor_id: by, ...where };
      for (const id of others) ctx.ask({ kind: "user", id }, "notify", notice, () => undefined);
    },
    () => undefined,
  );
}
