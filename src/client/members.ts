/**
 * `loadMembers`: all members of a group of more than 100, of whom the state holds only some.
 * Changes are followed while the pages are read, so what is held in the end is what the server
 * has; after a gap it holds some again, and an application that shows them all loads them again.
 * The members of a channel, who may be a million, are never loaded: see `members` of `channelsOf`.
 */
import type { Member, Receipt } from "../protocol/schemas.ts";
import type { CallAnswer } from "./api.ts";
import type { Client } from "./client.ts";
import type { Held } from "./state.ts";
import { takeAllMembers } from "./steps.ts";

const PAGE = 100;
/** A gap while the pages are read makes them worthless; with more of them the connection is bad. */
const ATTEMPTS_MAX = 5;

/**
 * Resolves with whether all members are in the conversation's view now; at once where they are.
 * Rejects with TroupeError.
 */
export async function loadMembers(client: Client, conversationId: string): Promise<boolean> {
  for (let n = 0; n < ATTEMPTS_MAX; n++) {
    const held = heldOf(client, conversationId);
    if (!held) return false;
    if (!held.conversation.members_partial) return true;
    if (held.conversation.kind === "channel") return false;
    await readPages(client, conversationId, held.membersSince);
  }
  return heldOf(client, conversationId)?.conversation.members_partial === undefined;
}

/** A step that changes nothing sees the state. */
function heldOf(client: Client, id: string): Held | undefined {
  let held: Held | undefined;
  client.take((state) => {
    held = state.conversations.get(id);
    return state;
  });
  return held;
}

async function readPages(client: Client, id: string, since: number): Promise<void> {
  const gone = new Set<string>();
  const receipts: Receipt[] = [];
  const ends = [
    client.on("conversation_updated", (news) => {
      if (news.id !== id) return;
      for (const userId of news.removed_user_ids ?? []) gone.add(userId);
      for (const { user_id } of news.members) gone.delete(user_id);
    }),
    client.on("receipt", (receipt) => {
      if (receipt.conversation_id === id) receipts.push(receipt);
    }),
  ];
  try {
    const members: Member[] = [];
    for (let cursor: string | null = null; ; ) {
      const page: CallAnswer<"GET /api/conversations/:id/members"> = await client.api(
        "GET /api/conversations/:id/members",
        {
          id,
          limit: PAGE,
          ...(cursor !== null && { cursor }),
        },
      );
      members.push(...page.items);
      cursor = page.next_cursor;
      if (cursor === null) break;
    }
    const still = members.filter(({ user_id }) => !gone.has(user_id));
    client.take(takeAllMembers(id, since, still, receipts));
  } finally {
    for (const end of ends) end();
  }
}
