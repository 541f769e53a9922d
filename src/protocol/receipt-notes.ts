/**
 * The note of the event `receipt` between actors and edges: whose cursors it has, who receives it,
 * and what only the member's other sessions receive with it.
 */

/**
 * all: every session. masked: every session, and the member's own with the read cursor, which
 * others do not see. own: the member's own sessions only.
 */
export type ReceiptReach = "all" | "masked" | "own";

const MARKS: Readonly<Record<ReceiptReach, string>> = { all: "", masked: "~", own: "!" };

/** `own`: JSON text of the member's own point. */
export const receiptNote = (reach: ReceiptReach, member: string, own: string): string =>
  `${MARKS[reach]}${member} ${own}`;

export function receiptNoteOf(note: string): {
  reach: ReceiptReach;
  member: string;
  own: string | null;
} {
  const reach = note.startsWith("~") ? "masked" : note.startsWith("!") ? "own" : "all";
  const text = note.slice(MARKS[reach].length);
  const end = text.indexOf(" ");
  if (end < 0) return { reach, member: text, own: null };
  return { reach, member: text.slice(0, end), own: text.slice(end + 1) };
}
