/** What an edge missed of one conversation, from its rows; shared by both adapters. */
import type { Change } from "../ports.ts";
import type { Conversation, Message } from "../protocol/schemas.ts";

/**
 * The events that bring an edge from `afterRev` on, by rising rev, at most `limit`. `messages`
 * are those changed after `afterRev`, by rising rev. A message that was edited or deleted stands
 * as it is now, with its latest rev.
 */
export function changesOf(
  conversation: Conversation,
  metaRev: number,
  messages: Message[],
  afterRev: number,
  limit: number,
): Change[] {
  const changes: Change[] = messages.map((message) => ({
    name: message.edited_at === null && message.deleted_at === null ? "message" : "message_updated",
    rev: message.rev,
    body: JSON.stringify(message),
  }));
  if (metaRev > afterRev) {
    changes.push({
      name: "conversation_updated",
      rev: metaRev,
      // Not the conversation's own rev: a client that took that as its cursor would never ask
      // for the messages in between.
      body: JSON.stringify({ ...conversation, rev: metaRev }),
    });
    changes.sort((a, b) => a.rev - b.rev);
  }
  return changes.slice(0, limit);
}
