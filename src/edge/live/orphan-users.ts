/**
 * Local users to whom a worker that died may owe a change of their preferences: users whose own
 * actors it had, and users in conversations whose actors it had, because a conversation's actor
 * publishes preferences that a send or a mark has changed. Called by the hub when a worker has died.
 */
import type { UserId } from "../../protocol/ids.ts";
import type { Channels } from "./channels.ts";
import type { Streams } from "./conversation-streams.ts";
import type { Orphans } from "./former-owners.ts";
import type { Sessions } from "./sessions.ts";

export interface OrphanUsers {
  /** Users whose own actors are concerned. */
  owned: UserId[];
  /** These, and users in conversations that are concerned. */
  all: Set<UserId>;
}

export function orphanUsers(
  sessions: Pick<Sessions, "usersOf" | "all">,
  streams: Pick<Streams, "ofShards">,
  channels: Pick<Channels, "usersOf">,
  { shards, isOrphan }: Orphans,
): OrphanUsers {
  const owned = sessions.usersOf(shards).filter((user) => isOrphan(`user:${user}`));
  const all = new Set(owned);
  for (const user of channels.usersOf((id) => isOrphan(`conversation:${id}`))) all.add(user);
  for (const { id, sessions: those } of streams.ofShards(shards)) {
    if (isOrphan(`conversation:${id}`)) for (const { user } of those) all.add(user);
  }
  // Where some conversations are not live, their owners are not known here.
  for (const { user, isPartial } of sessions.all()) if (isPartial) all.add(user);
  return { owned, all };
}
