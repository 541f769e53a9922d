/**
 * `@username` in a text, and the notifications of the users mentioned.
 */
import type { Notice } from "../src/protocol/actor-ops.ts";
import type { UserId } from "../src/protocol/ids.ts";
import type { Context } from "./behaviour.ts";
import { MENTIONS_MAX } from "./limits.ts";
import type { SocialPorts } from "./social-ports.ts";

const MENTION = /(?<![\w.@/])@([a-z0-9_.]{3,33})/gi;

/**
 * Folded usernames that a text may mention, at most `MENTIONS_MAX`. A name may end in a dot, and so
 * may a sentence, so both readings are returned.
 */
export function mentionedNames(text: string): string[] {
  if (!text.includes("@")) return [];
  const names = new Set<string>();
  for (const [, name = ""] of text.matchAll(MENTION)) {
    const folded = name.toLowerCase();
    for (const reading of [folded, folded.replace(/\.+$/, "")]) {
      if (reading.length >= 3 && reading.length <= 32) names.add(reading);
    }
    if (names.size >= MENTIONS_MAX) break;
  }
  return [...names].slice(0, MENTIONS_MAX);
}

export interface Mention {
  by: UserId;
  text: string;
  /** The place of the text, for the notification. */
  where: Pick<Notice, "post_id" | "comment_id" | "data" | "conversation_id">;
  /** Whether this user may see the text. */
  reaches(user: UserId): boolean;
}

/** Notifies the users that the text mentions. Best effort: the text itself is committed. */
export function notifyMentioned(ports: SocialPorts, mention: Mention, ctx: Context): void {
  const names = mentionedNames(mention.text);
  if (names.length === 0) return;
  const found = Promise.all([ports.graph.idsByName(names), ports.graph.displayName(mention.by)]);
  ctx.run(
    found,
    ([ids, name]) => {
      for (const user of new Set(ids.values())) {
        if (user === mention.by || !mention.reaches(user)) continue;
        const notice: Notice = {
          type: "mention",
          message: `${name ?? "Somebody"} mentioned you`,
          actor_id: mention.by,
          ...mention.where,
        };
        ctx.ask({ kind: "user", id: user }, "notify", notice, () => undefined);
      }
    },
    () => undefined,
  );
}
