/** The notifications of this user, newest first. */
import type { ReactElement } from "react";
import type { Notification } from "../../protocol/social.ts";
import { attempt } from "../attached.ts";
import { useNotifications, useTroupe } from "../react.ts";
import { inboxOf } from "../social.ts";
import { useShared } from "./frame.tsx";

export interface NotificationsProps {
  /** What one of them leads to. */
  onOpen?(notification: Notification): void;
}

export function Notifications({ onOpen }: NotificationsProps): ReactElement {
  const client = useTroupe();
  const { texts, words } = useShared();
  const { items, unread, isLoaded, nextCursor } = useNotifications();
  const inbox = inboxOf(client);
  return (
    <section className="troupe-notifications" aria-label={texts.notifications}>
      <header className="troupe-header">
        <h2>{texts.notifications}</h2>
        <button
          type="button"
          disabled={unread === 0}
          onClick={() => void attempt(inbox.markRead())}
        >
          {texts.markAllRead}
        </button>
      </header>
      {items.length === 0 && (
        <p className="troupe-empty">{isLoaded ? texts.noNotifications : texts.loading}</p>
      )}
      <ul>
        {items.map((one) => (
          <li key={one.id} data-unread={one.read_at === null || undefined}>
            <button type="button" className="troupe-notice" onClick={() => onOpen?.(one)}>
              <span dir="auto">{one.message}</span>
              <time className="troupe-soft" dateTime={one.created_at}>
                {words.short(one.created_at)}
              </time>
            </button>
          </li>
        ))}
      </ul>
      {nextCursor !== null && (
        <button type="button" onClick={() => void attempt(inbox.loadOlder())}>
          {texts.older}
        </button>
      )}
    </section>
  );
}
