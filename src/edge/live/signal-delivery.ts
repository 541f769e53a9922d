/** A signal on its way to the sessions of one edge; see actors/signals.ts. */
import type { ConversationId } from "../../protocol/ids.ts";
import type { SignalNote } from "../../protocol/signals.ts";
import type { Frame } from "../../runtime/frames.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";

/** Calls no session of the sender, whom `except` names. */
export function deliverSignal(
  conversation: ConversationId,
  sessions: Iterable<Session>,
  { body, except, note }: Frame,
): void {
  const { to, latest }: SignalNote = note === "" ? {} : JSON.parse(note);
  const named = to === undefined ? null : new Set(to);
  const packet = Packet.event("signal", body);
  const order = `signal:${conversation}:${except}:`;
  const latestKey = latest === undefined ? null : order + latest;
  for (const session of sessions) {
    if (session.user === except || named?.has(session.user) === false) continue;
    session.send(packet, latestKey, order);
  }
}
