/** Packets of one conversation's stream that are made of an event's text. */
import { isSince11, translationIn } from "../../protocol/contract.ts";
import type { ConversationId } from "../../protocol/ids.ts";
import type { OwnUnread, Receipt } from "../../protocol/schemas.ts";
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
