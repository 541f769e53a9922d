/** Changes of a group's title and members in storage, one call a change. */
import type { ConversationCall, ConversationStore } from "../../actors/ports.ts";
import { ok, type Result } from "../../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";

type Store = Pick<ConversationStore, "change">;
export type OneChange = Promise<Result<{ conversation: Conversation; changed: boolean }>>;

export const retitle = (store: Store, id: ConversationId, by: UserId, title: string): OneChange =>
  changed(store, id, { by, does: "update", title });

export const addMembers = (
  store: Store,
  id: ConversationId,
  by: UserId,
  userIds: UserId[],
): OneChange => changed(store, id, { by, does: "add", userIds });

export const removeMember = (
  store: Store,
  id: ConversationId,
  by: UserId,
  userId: UserId,
): OneChange => changed(store, id, { by, does: "remove", userId });

async function changed(store: Store, id: ConversationId, call: ConversationCall): OneChange {
  const { outcomes, conversation } = await store.change(id, [call]);
  const [outcome] = outcomes;
  if (outcome === undefined) throw new Error("The call has no outcome.");
  if (!outcome.ok) return outcome;
  if (conversation === null)
    throw new Error("A call was done in a conversation that is not there.");
  return ok({ conversation, changed: outcome.value.changed });
}
