/**
 * What a push says, version 1. The user's `content` decides how much of it: sender and text, the
 * sender alone, or neither.
 */
import type { PushFacts, PushSubject } from "../../ports/push.ts";
import {
  PUSH_TEXT_MAX,
  type PushContent,
  type PushKind,
  type PushPayload,
} from "../../protocol/push.ts";

const SOMEBODY = "Somebody";
const ONE_FILE = "A file";

export function payloadOf(
  kind: PushKind,
  subject: PushSubject,
  facts: PushFacts,
  badge: number,
  { content, basePath }: { content: PushContent; basePath: string },
): PushPayload {
  const { conversationId, seq } = subject;
  const { conversation, notification } = facts;
  const said = facts.content ?? content;
  if (conversationId === null || conversation === null) {
    const title = said === "none" ? "New notification" : cut(notification?.message ?? "");
    const place = notification?.post_id ? `#/p/${notification.post_id}` : "";
    return { v: 1, kind, title, count: 1, badge, url: `${basePath}/${place}` };
  }
  const where = { conversation_id: conversationId, url: `${basePath}/#/c/${conversationId}` };
  const { newest, count } = conversation;
  if (kind === "read" || newest === null) {
    return { v: 1, kind, ...where, seq, title: "", count, badge };
  }
  const payload = { v: 1 as const, kind, ...where, seq: newest.seq, count, badge };
  if (said === "none") return { ...payload, title: "New message" };
  const sender = newest.sender || SOMEBODY;
  if (said === "sender") return { ...payload, title: cut(sender) };
  const isNamed = conversation.kind !== "direct" && conversation.title !== null;
  const title = isNamed ? `${sender} (${conversation.title})` : sender;
  const body = newest.body || (newest.files === 1 ? ONE_FILE : `${newest.files} files`);
  return { ...payload, title: cut(title), body: cut(body) };
}

/** At most 200 code points; the last one then is an ellipsis. */
export function cut(text: string): string {
  const points = [...text];
  if (points.length <= PUSH_TEXT_MAX) return text;
  return `${points.slice(0, PUSH_TEXT_MAX - 1).join("")}…`;
}
