/**
 * One answer holds about 256 KiB of messages at most. Messages that do not fit are left out, and
 * `has_more` says so. The first message is never left out, so that a reader makes progress.
 */
import { utf8Bytes } from "./app-data.ts";
import type { Message } from "./schemas.ts";

export const ANSWER_BYTES_MAX = 256 * 1024;

/** Beside its body, an encoded message is about this long. */
const MESSAGE_BYTES = 260;
/** A key of 64 bytes, twice, and five user ids. */
const REACTION_BYTES = 260;

/** About as many as its JSON text has. */
export function messageBytes({ body, data, mentions, reactions }: Message): number {
  const more = data === undefined ? 0 : utf8Bytes(JSON.stringify(data));
  return (
    MESSAGE_BYTES + utf8Bytes(body) + more + 24 * (mentions?.length ?? 0) + reactionBytes(reactions)
  );
}

/** With one's own, which name each key once more. */
function reactionBytes(reactions: Message["reactions"]): number {
  return reactions === undefined ? 0 : 80 + reactions.length * REACTION_BYTES;
}

/** As many of the first messages as fit. */
export function fittingMessages(messages: readonly Message[]): Message[] {
  let bytes = 0;
  const end = messages.findIndex((message, i) => {
    bytes += messageBytes(message);
    return i > 0 && bytes > ANSWER_BYTES_MAX;
  });
  return end < 0 ? [...messages] : messages.slice(0, end);
}

/**
 * About `count` of the first messages, which are by rising rev: no rev is cut in two. Fewer where
 * that is possible, else all of the first rev.
 */
export function wholeRevs(messages: readonly Message[], count: number): Message[] {
  const isWithin = (at: number) =>
    at > 0 && at < messages.length && messages[at - 1]!.rev === messages[at]!.rev;
  let end = count;
  while (isWithin(end)) end--;
  if (end === 0) for (end = count; isWithin(end); ) end++;
  return messages.slice(0, end);
}
