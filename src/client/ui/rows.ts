/** What a list of messages consists of: messages, days between them, where the new ones begin. */
import type { Message } from "../../protocol/schemas.ts";
import type { Outgoing } from "../state.ts";
import { dayKey } from "./words.ts";

/** Sent by this user: a system message about what they did is not. */
const isOwn = ({ sender_id, client_id }: Message, meId: string | undefined): boolean =>
  sender_id === meId && client_id !== null;

export type Row =
  | { is: "day"; key: string; at: string }
  | { is: "new"; key: string }
  | { is: "message"; key: string; message: Message; isFirst: boolean; isLast: boolean }
  | { is: "outgoing"; key: string; outgoing: Outgoing };

/** Messages of one person within this time are a run. */
const RUN_MS = 5 * 60_000;

const isRun = (before: Message | undefined, after: Message | undefined): boolean =>
  before !== undefined &&
  after !== undefined &&
  before.sender_id === after.sender_id &&
  before.type !== "system" &&
  after.type !== "system" &&
  Date.parse(after.created_at) - Date.parse(before.created_at) < RUN_MS &&
  dayKey(before.created_at) === dayKey(after.created_at);

/** `newAfterSeq`: the last message that was read when the list was opened; null: no such line. */
export function rowsOf(
  messages: readonly Message[],
  outgoing: readonly Outgoing[],
  newAfterSeq: number | null,
  meId: string,
): readonly Row[] {
  const rows: Row[] = [];
  let hasLine = newAfterSeq === null;
  let day = Number.NaN;
  for (const [at, message] of messages.entries()) {
    const today = dayKey(message.created_at);
    if (today !== day) {
      day = today;
      rows.push({ is: "day", key: `day.${today}.${message.seq}`, at: message.created_at });
    }
    if (!hasLine && message.seq > newAfterSeq! && message.sender_id !== meId) {
      hasLine = true;
      rows.push({ is: "new", key: "new" });
    }
    rows.push({
      is: "message",
      // An own message keeps its place in the page when it turns from outgoing to sent.
      key: isOwn(message, meId) ? `own.${message.client_id}` : `seq.${message.seq}`,
      message,
      isFirst: !isRun(messages[at - 1], message),
      isLast: !isRun(message, messages[at + 1]),
    });
  }
  for (const one of outgoing) {
    rows.push({ is: "outgoing", key: `own.${one.clientId}`, outgoing: one });
  }
  return rows;
}
