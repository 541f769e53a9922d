/** Packets of one conversation's stream that are made of an event's text. */
import { isSince11, translationIn } from "../../protocol/contract.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { OwnUnread, Receipt } from "../../protocol/schemas.ts";
import type { Frame } from "../../runtime/frames.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";

/** A durable event with its translation; see withTranslation. `links` writes the addresses of files. */
export function durablePacket(
  name: string,
  stored: string,
  links: (text: string) => string,
): Packet {
  const text = links(stored);
  if (!isSince11(name)) return Packet.event(name, text);
  const { body, former } = translationIn(text);
  return Packet.event(name, body, former);
}

export function revSkipped(conversation_id: ConversationId, rev: number): Packet {
  return Packet.event("rev_skipped", JSON.stringify({ conversation_id, rev }));
}

/**
 * The receipt with a member's own point; a later receipt's cursors stay as they were. `isMasked`: the
 * receipt does not say how far the member has read.
 */
export function withOwn(receipt: string, own: string, isMasked = false): string {
  const { read_seq, ...shown } = JSON.parse(receipt) as Receipt;
  const point = JSON.parse(own) as OwnUnread;
  return JSON.stringify(
    isMasked || point.read_seq === read_seq ? { ...shown, ...point } : { ...shown, read_seq },
  );
}

/** A delta of a message that is hidden from some of the users. */
export function deliverToSome(
  sessions: Iterable<Session>,
  packet: Packet,
  { except }: Frame,
  isHidden: (user: UserId) => boolean,
): void {
  for (const session of sessions) {
    if (session.id !== except && !isHidden(session.user)) session.send(packet);
  }
}

/** `typing`, with `is_typing` false. */
export function typingEnded(conversation: string, user: string): Packet {
  const body = `{"conversation_id":"${conversation}","user_id":"${user}","is_typing":false}`;
  return Packet.event("typing", body);
}
