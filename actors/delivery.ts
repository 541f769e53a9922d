/**
 * Delivered and read cursors, as a pure rule.
 *
 * [DLV1] A mark is cumulative: it covers everything up to its seq.
 * [DLV2] `read` implies `delivered`.
 * [DLV3] A cursor never moves back; a mark that moves nothing is no change.
 * [DLV4] Past the conversation's last message there is nothing to mark.
 * [DLV5] A send moves its sender's own cursors.
 */
import type { Cursors } from "../src/protocol/schemas.ts";

/** The cursors after a mark; the same object when nothing moved. */
export function advance(cursors: Cursors, seq: number, read: boolean): Cursors {
  const delivered_seq = Math.max(cursors.delivered_seq, seq);
  const read_seq = read ? Math.max(cursors.read_seq, seq) : cursors.read_seq;
  if (delivered_seq === cursors.delivered_seq && read_seq === cursors.read_seq) return cursors;
  return { delivered_seq, read_seq };
}
