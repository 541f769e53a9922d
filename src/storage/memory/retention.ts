/** How long conversations keep their messages, in memory; the twin of sql/functions/keep_messages.sql. */
import type { MemoryTables, StoredConversation } from "./tables.ts";

/** Moves to the first message that is not older than the conversation keeps them; true: it moved. */
export function trimOld(tables: MemoryTables, stored: StoredConversation): boolean {
  const keptS = stored.extra.settings?.retention_s;
  if (keptS === undefined) return false;
  const untilMs = tables.nowMs() - keptS * 1000;
  const first = stored.messages.find(({ created_at }) => Date.parse(created_at) > untilMs);
  const firstSeq = first?.seq ?? stored.messages.length + 1;
  if (firstSeq <= (stored.firstSeq ?? 1)) return false;
  stored.firstSeq = firstSeq;
  return true;
}
