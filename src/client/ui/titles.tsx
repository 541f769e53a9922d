/** What a conversation is called: its title, the other's name, or those of its first members. */
import { useMemo } from "react";
import { isolated } from "../../protocol/isolated.ts";
import type { User } from "../../protocol/schemas.ts";
import { useMe, useReadable, useTroupe } from "../react.ts";
import type { Readable } from "../store.ts";
import { usersOf } from "../users.ts";
import { type ConversationView, peerOf } from "../views.ts";
import { useShared } from "./frame.tsx";

const NAMED_MAX = 3;

type Known = ReadonlyMap<string, User | null | undefined>;

/** The users behind some ids, together. */
export function useUsers(ids: readonly string[]): Known {
  const client = useTroupe();
  const key = ids.join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the ids, by what they are
  const readable = useMemo(
    () => together(ids.map((id) => [id, usersOf(client).of(id)])),
    [client, key],
  );
  return useReadable(readable);
}

/** The names behind some ids. */
export function useNames(ids: readonly string[]): readonly string[] {
  const { texts } = useShared();
  const known = useUsers(ids);
  return ids.map((id) => {
    const user = known.get(id);
    return user === null ? texts.someone : isolated(user?.display_name || user?.username || "");
  });
}

function together(
  parts: readonly (readonly [string, Readable<User | null | undefined>])[],
): Readable<Known> {
  let last: Known = new Map();
  return {
    get() {
      const isSame = parts.every(([id, part]) => last.has(id) && last.get(id) === part.get());
      if (!isSame || last.size !== new Set(parts.map(([id]) => id)).size) {
        last = new Map(parts.map(([id, part]) => [id, part.get()]));
      }
      return last;
    },
    subscribe(listener) {
      const ends = parts.map(([, part]) => part.subscribe(listener));
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

export interface Title {
  title: string;
  /** The other one of a direct conversation. */
  peerId: string | null;
}

export function useTitle(view: ConversationView): Title {
  const meId = useMe()?.id ?? "";
  const peerId = peerOf(view, meId);
  const { title, members } = view.conversation;
  const others = members.map(({ user_id }) => user_id).filter((id) => id !== meId);
  const named = title !== null ? [] : peerId !== null ? [peerId] : others.slice(0, NAMED_MAX);
  const names = useNames(named);
  return { title: title ?? names.filter((name) => name !== "").join(", "), peerId };
}
