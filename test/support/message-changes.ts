/** Edits and deletions of one's own messages, as tests of storage make them. */
import type { ConversationStore, Revised } from "../../actors/ports.ts";
import { ok, type Result } from "../../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Message } from "../../src/protocol/schemas.ts";

export async function edits(
  store: Pick<ConversationStore, "revise">,
  id: ConversationId,
  seq: number,
  by: UserId,
  body: string,
): Promise<Result<Message>> {
  const revised = await store.revise(id, seq, by, { does: "edit", body, names: [], all: false });
  return revised.ok ? ok(revised.value.message) : revised;
}

export async function removes(
  store: Pick<ConversationStore, "revise">,
  id: ConversationId,
  seq: number,
  by: UserId,
): Promise<Result<Omit<Revised, "newlyMentioned">>> {
  const change = { does: "delete", any: false, system: false, spared: [] } as const;
  const revised = await store.revise(id, seq, by, { ...change, spared: [] });
  if (!revised.ok) return revised;
  const { message, changed } = revised.value;
  return ok({ message, changed });
}
