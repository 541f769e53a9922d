/** How reactions become the state of a conversation: pure, used by held.ts and steps.ts. */
import type { Message, OwnReactions, ReactionCount } from "../protocol/schemas.ts";
import type { Held, OwnKeys, Reaction } from "./state.ts";

/** `isWhole`: it names all keys of the message, and all of one's own. */
export function applyReaction(
  held: Held,
  { seq, rev, changed, changes, me, isWhole }: Reaction,
): Held {
  const message = held.messages.get(seq);
  const messages =
    message === undefined || message.rev >= rev
      ? held.messages
      : new Map(held.messages).set(seq, withCounts(message, rev, changed, isWhole));
  const keys = new Set(isWhole ? [] : held.own.get(seq));
  for (const { user_id, key, on } of changes) {
    if (user_id !== me) continue;
    if (on) keys.add(key);
    else keys.delete(key);
  }
  return { ...held, messages, own: withOwn(held.own, seq, [...keys]) };
}

function withCounts(
  { reactions = [], ...message }: Message,
  rev: number,
  changed: readonly ReactionCount[],
  isWhole: boolean,
): Message {
  const counts = new Map((isWhole ? [] : reactions).map((count) => [count.key, count]));
  for (const count of changed) {
    if (count.count > 0) counts.set(count.key, count);
    else counts.delete(count.key);
  }
  return { ...message, rev, ...(counts.size > 0 && { reactions: [...counts.values()] }) };
}

function withOwn(own: OwnKeys, seq: number, keys: readonly string[]): OwnKeys {
  if (keys.length === 0 && !own.has(seq)) return own;
  const next = new Map(own);
  if (keys.length > 0) next.set(seq, keys);
  else next.delete(seq);
  return next;
}

/** One's own keys with those of an answer, which names them beside its messages. */
export function mergeOwn(
  { messages: held, own }: Pick<Held, "messages" | "own">,
  messages: readonly Message[],
  answer: readonly OwnReactions[] = [],
): OwnKeys {
  const news = new Map(answer.map(({ seq, keys }) => [seq, keys]));
  let next = own;
  for (const { seq, rev } of messages) {
    // Where the message has changed since, the answer is as old as its message.
    if ((held.get(seq)?.rev ?? 0) <= rev) next = withOwn(next, seq, news.get(seq) ?? []);
  }
  return next;
}
