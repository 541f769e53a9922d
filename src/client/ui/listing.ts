/** Which conversations a list shows, and in what order, by this user's own preferences of them. */
import { useMemo } from "react";
import type { Prefs } from "../../protocol/prefs.ts";
import { isArchived, isHidden } from "../../protocol/prefs-rules.ts";
import { epochMsOf } from "../../protocol/time.ts";
import { systemClock } from "../clock.ts";
import { prefsOf } from "../prefs.ts";
import { useConversations, useListReadable, useReadable, useTroupe } from "../react.ts";
import type { ConversationView } from "../views.ts";

export type Filter = "all" | "unread" | "archived";

/** A contract's time. */
export const nowIso = (): string => new Date(epochMsOf(systemClock.wallMs())).toISOString();

export function usePrefs(conversationId: string): Prefs | null {
  const client = useTroupe();
  return useReadable(useMemo(() => prefsOf(client).of(conversationId), [client, conversationId]));
}

const lastN = ({ conversation }: ConversationView): number =>
  conversation.last_n ?? conversation.last_seq;

export const isArchivedView = (view: ConversationView, prefs: Prefs | null): boolean =>
  prefs !== null && isArchived(prefs, lastN(view), nowIso());

/** Pinned ones first, else in the order given. The one that is open stays in sight. */
export function listed(
  views: readonly ConversationView[],
  prefs: ReadonlyMap<string, Prefs>,
  filter: Filter,
  openId: string | null,
): readonly ConversationView[] {
  const shown = views.filter((view) => {
    const own = prefs.get(view.id) ?? null;
    if (own !== null && isHidden(own, lastN(view))) return view.id === openId;
    const isPut = isArchivedView(view, own);
    if (filter === "archived") return isPut;
    return !isPut && (filter === "all" || view.unread > 0 || view.id === openId);
  });
  const isPinned = (view: ConversationView): boolean => prefs.get(view.id)?.pinned_at !== undefined;
  return [...shown.filter(isPinned), ...shown.filter((view) => !isPinned(view))];
}

export function useListed(filter: Filter, openId: string | null): readonly ConversationView[] {
  const client = useTroupe();
  const views = useConversations();
  const prefs = useListReadable(prefsOf(client).all);
  return useMemo(() => listed(views, prefs, filter, openId), [views, prefs, filter, openId]);
}
