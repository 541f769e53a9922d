/**
 * The users whom this person follows and blocks, as far as it is known here. The contract changes
 * both but has no way to ask, so this browser remembers the answers, and assumes that the authors in
 * the feed are followed. Both calls may be repeated: a wrong guess costs a click.
 */
import type { Result } from "../../protocol/errors.ts";
import type { Api } from "./http.ts";
import { createStore, type Store } from "./store.ts";

const KEY_PREFIX = "troupe.relations.";

export interface RelationState {
  following: ReadonlySet<string>;
  blocked: ReadonlySet<string>;
}

export interface Relations {
  store: Store<RelationState>;
  follow(userId: string, follows: boolean): Promise<Result<unknown>>;
  block(userId: string, blocks: boolean): Promise<Result<unknown>>;
  /** These are followed: what they wrote came in the feed. */
  noteFollowed(userIds: readonly string[]): void;
}

function stored(key: string): RelationState {
  try {
    const { following, blocked } = JSON.parse(localStorage.getItem(key) ?? "{}");
    return { following: new Set(following), blocked: new Set(blocked) };
  } catch (error) {
    // Written by another version or by hand: as good as nothing known.
    console.warn("stored relations are unreadable", error);
    return { following: new Set(), blocked: new Set() };
  }
}

function toggled(set: ReadonlySet<string>, userId: string, isIn: boolean): ReadonlySet<string> {
  if (set.has(userId) === isIn) return set;
  const next = new Set(set);
  if (isIn) next.add(userId);
  else next.delete(userId);
  return next;
}

export function createRelations(meId: string, api: Api): Relations {
  const key = KEY_PREFIX + meId;
  const store = createStore<RelationState>(stored(key));
  store.subscribe(({ following, blocked }) => {
    const known = { following: [...following], blocked: [...blocked] };
    localStorage.setItem(key, JSON.stringify(known));
  });

  return {
    store,
    async follow(userId, follows) {
      const call = follows ? "POST /api/users/:id/follow" : "DELETE /api/users/:id/follow";
      const answer = await api(call, { id: userId });
      if (answer.ok) {
        store.update((state) => ({
          ...state,
          following: toggled(state.following, userId, answer.value.following),
        }));
      }
      return answer;
    },
    async block(userId, blocks) {
      const call = blocks ? "POST /api/users/:id/block" : "DELETE /api/users/:id/block";
      const answer = await api(call, { id: userId });
      if (answer.ok) {
        store.update((state) => ({
          // A block ends follows, and they stay ended.
          following: toggled(state.following, userId, false),
          blocked: toggled(state.blocked, userId, answer.value.blocked),
        }));
      }
      return answer;
    },
    noteFollowed(userIds) {
      store.update((state) => {
        const news = userIds.filter((id) => id !== meId && !state.following.has(id));
        if (news.length === 0) return state;
        return { ...state, following: new Set([...state.following, ...news]) };
      });
    },
  };
}
