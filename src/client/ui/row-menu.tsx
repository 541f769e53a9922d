/** What one can do with a conversation in the list; all of it is this user's alone. */
import { memo, type ReactElement } from "react";
import type { PrefsChange } from "../../protocol/prefs.ts";
import { isMuted } from "../../protocol/prefs-rules.ts";
import { attempt } from "../attached.ts";
import { prefsOf } from "../prefs.ts";
import { useTroupe } from "../react.ts";
import type { ConversationView } from "../views.ts";
import { useShared } from "./frame.tsx";
import { isArchivedView, nowIso, usePrefs } from "./listing.ts";
import { MenuItem, Popup } from "./popup.tsx";
import { useTitle } from "./titles.tsx";

export const RowMenu = memo(function RowMenu(props: { view: ConversationView }): ReactElement {
  const { view } = props;
  const client = useTroupe();
  const { texts } = useShared();
  const { title } = useTitle(view);
  const prefs = usePrefs(view.id);
  const { id, unread, conversation } = view;
  const set = (change: Omit<PrefsChange, "draft">): void =>
    void attempt(prefsOf(client).set(id, change));
  const isSilent = prefs !== null && isMuted(prefs, nowIso());
  const isPinned = prefs?.pinned_at !== undefined;
  const isPut = isArchivedView(view, prefs);
  return (
    <Popup icon="more" label={texts.optionsOf(title)} className="troupe-row-more" isMenu>
      {(close) => {
        const entry = (run: () => void) => () => {
          close();
          run();
        };
        return (
          <>
            <MenuItem icon="pin" onClick={entry(() => set({ pinned: !isPinned }))}>
              {isPinned ? texts.unpin : texts.pin}
            </MenuItem>
            <MenuItem
              icon="mute"
              onClick={entry(() => set({ muted_until: isSilent ? null : "forever" }))}
            >
              {isSilent ? texts.unmute : texts.mute}
            </MenuItem>
            <MenuItem icon="archive" onClick={entry(() => set({ archived: !isPut }))}>
              {isPut ? texts.unarchive : texts.archive}
            </MenuItem>
            {unread > 0 ? (
              <MenuItem icon="unread" onClick={entry(() => client.markRead(id))}>
                {texts.markRead}
              </MenuItem>
            ) : (
              conversation.last_seq > 0 && (
                <MenuItem
                  icon="unread"
                  onClick={entry(() => set({ unread_from_seq: conversation.last_seq }))}
                >
                  {texts.markUnread}
                </MenuItem>
              )
            )}
          </>
        );
      }}
    </Popup>
  );
});
