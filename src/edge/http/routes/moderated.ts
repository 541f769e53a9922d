/**
 * Handlers whose texts are judged by the word rules first: messages, posts, comments and names, also
 * those of conversations. Where
 * there are no rules, each is called as it is.
 */
import { ok, type Result } from "../../../protocol/errors.ts";
import { JsonText } from "../../../protocol/json-text.ts";
import type { RouteName } from "../../../protocol/routes.ts";
import type { Message, User } from "../../../protocol/schemas.ts";
import type { Comment, Post } from "../../../protocol/social.ts";
import type { WordRules } from "../../moderation/word-rules.ts";
import type { PlainHandlers } from "../server/call.ts";

/** What a judged text belongs to, once it is written. */
type Kind = "message" | "post" | "comment" | "user" | "title";

const TEXTS: Partial<Record<RouteName, { kind: Kind; keys: readonly string[] }>> = {
  sendMessage: { kind: "message", keys: ["body"] },
  editMessage: { kind: "message", keys: ["body"] },
  createPost: { kind: "post", keys: ["body"] },
  editPost: { kind: "post", keys: ["body"] },
  createComment: { kind: "comment", keys: ["body"] },
  createConversation: { kind: "title", keys: ["title"] },
  updateConversation: { kind: "title", keys: ["title"] },
  register: { kind: "user", keys: ["username", "display_name"] },
  updateMe: { kind: "user", keys: ["username", "display_name"] },
  putExternalUser: { kind: "user", keys: ["username", "display_name"] },
};
const NAMES = ["username", "display_name"] as const;

type Fields = Record<string, unknown>;
interface AnyCall {
  body: Fields;
}
type AnyHandler = (call: AnyCall) => Promise<Result<{ status: number; body: unknown }>>;

export function moderated(handlers: PlainHandlers, rules: WordRules): PlainHandlers {
  const all = { ...handlers } as unknown as Record<RouteName, AnyHandler>;
  for (const [name, { kind, keys }] of Object.entries(TEXTS)) {
    all[name as RouteName] = judged(all[name as RouteName], kind, keys, rules);
  }
  all.putExternalUsers = judgedBatch(all.putExternalUsers, rules);
  return all as unknown as PlainHandlers;
}

function judged(
  handler: AnyHandler,
  kind: Kind,
  keys: readonly string[],
  rules: WordRules,
): AnyHandler {
  return async (call) => {
    if (rules.isEmpty) return handler(call);
    const left = judgedFields(call.body, keys, rules);
    if (!left.ok) return left;
    const { body, reports } = left.value;
    const answer = await handler({ ...call, body });
    if (answer.ok && reports.length > 0) report(kind, answer.value.body, reports, rules);
    return answer;
  };
}

/** Each user is judged and answered for themselves. */
function judgedBatch(handler: AnyHandler, rules: WordRules): AnyHandler {
  return async (call) => {
    if (rules.isEmpty) return handler(call);
    const users = call.body["users"] as Fields[];
    const left = users.map((user) => judgedFields(user, NAMES, rules));
    const passed = left.flatMap((one) => (one.ok ? [one.value.body] : []));
    const answer = await handler({ ...call, body: { users: passed } });
    if (!answer.ok) return answer;
    const items = [...(answer.value.body as { items: { user?: User }[] }).items];
    const merged = left.map((one) => {
      if (!one.ok) return { error: one.error };
      const item = items.shift()!;
      if (item.user !== undefined) report("user", item.user, one.value.reports, rules);
      return item;
    });
    return ok({ ...answer.value, body: { items: merged } });
  };
}

function judgedFields(
  fields: Fields,
  keys: readonly string[],
  rules: WordRules,
): Result<{ body: Fields; reports: string[] }> {
  const body = { ...fields };
  const reports: string[] = [];
  for (const key of keys) {
    const text = body[key];
    if (typeof text !== "string") continue;
    const verdict = key === "username" ? rules.judgeUsername(text) : rules.judge(text);
    if (verdict.is === "refused") return { ok: false, error: verdict.error };
    body[key] = verdict.text;
    reports.push(...verdict.reports);
  }
  return ok({ body, reports: [...new Set(reports)] });
}

function report(kind: Kind, answer: unknown, reports: readonly string[], rules: WordRules): void {
  const body = answer instanceof JsonText ? answer.value() : answer;
  switch (kind) {
    case "message":
      rules.reportMessage(reports, body as Message);
      return;
    case "post": {
      const post = body as Post;
      rules.report(reports, { post_id: post.id }, post.author_id, post);
      return;
    }
    case "comment": {
      const comment = body as Comment;
      rules.report(reports, { comment_id: comment.id }, comment.author_id, comment);
      return;
    }
    case "title":
      // There is no report of a conversation.
      return;
    case "user": {
      // Registration answers the user with tokens, of which nothing is kept.
      const user = "user" in (body as object) ? (body as { user: User }).user : (body as User);
      rules.report(reports, { user_id: user.id }, user.id, user);
    }
  }
}
