/**
 * Reacting to messages. Counts are in the messages, as they came; `ownReactions` of a
 * conversation's view holds this user's own keys.
 */
import type { ClientAck, ClientPayload } from "../protocol/events.ts";
import type { Client } from "./client.ts";
import { takeReaction } from "./steps.ts";

/**
 * Reacts to a message, or takes the reaction away; with `only` the user's others go. Answers the
 * message's reactions and the user's own. Rejects with TroupeError.
 */
export function react(
  client: Pick<Client, "ask" | "take">,
  reaction: ClientPayload<"react">,
): Promise<ClientAck<"react">> {
  const { conversation_id, seq } = reaction;
  return client.ask("react", reaction, ({ rev, reactions, own }) => {
    if (rev === undefined) return;
    const changed = reactions;
    client.take(takeReaction({ conversation_id, seq, rev, changed, changes: [] }, own));
  });
}
