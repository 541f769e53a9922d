/** The notifications of this user, newest first: all, or those that are unread. */
import { type ReactElement, useEffect, useRef, useState } from "react";
import type { Notification } from "../../protocol/social.ts";
import { attempt } from "../attached.ts";
import { useNotifications, useTroupe } from "../react.ts";
import { inboxOf } from "../social.ts";
import { PersonAvatar } from "./avatar.tsx";
import { useShared } from "./frame.tsx";
import { Icon, type IconName } from "./icons.tsx";
import type { NotificationsProps } from "./parts.ts";

/** A refused mark is tried again. */
const MARK_AGAIN_MS = 3_000;

const SIGNS: Readonly<Record<string, IconName>> = {
  like: "heart",
  comment: "thread",
  follow: "person",
  mention: "at",
};

export function Notifications(props: NotificationsProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Notifications ?? OwnNotifications;
  return <Part {...props} />;
}

function OwnNotifications(props: NotificationsProps): ReactElement {
  const { onOpen, onClose, isReadWhenSeen = false } = props;
  const client = useTroupe();
  const { texts } = useShared();
  const { items, unread, isLoaded, nextCursor } = useNotifications();
  const [isOnlyUnread, setOnlyUnread] = useState(false);
  const inbox = inboxOf(client);
  const fresh = useFresh(items);
  useReading(isReadWhenSeen, unread, items.length);
  const shown = isOnlyUnread ? items.filter(({ id }) => fresh.has(id)) : items;
  const markAll = (): void => {
    fresh.clear();
    void attempt(inbox.markRead());
  };
  const filters = [
    [false, texts.filterAll],
    [true, texts.filterUnread],
  ] as const;
  return (
    <section className="troupe-notifications" aria-label={texts.notifications}>
      <header className="troupe-header">
        <h2 tabIndex={-1}>{texts.notifications}</h2>
        <button type="button" disabled={unread === 0 && fresh.size === 0} onClick={markAll}>
          {texts.markAllRead}
        </button>
        {onClose && (
          <button
            type="button"
            className="troupe-tool"
            aria-label={texts.closeNotifications}
            onClick={onClose}
          >
            <Icon name="close" />
          </button>
        )}
      </header>
      <fieldset className="troupe-filters" aria-label={texts.filterNotifications}>
        {filters.map(([only, label]) => (
          <button
            key={label}
            type="button"
            aria-pressed={only === isOnlyUnread}
            onClick={() => setOnlyUnread(only)}
          >
            {label}
          </button>
        ))}
      </fieldset>
      {shown.length === 0 && (
        <p className="troupe-empty">
          {!isLoaded ? texts.loading : isOnlyUnread ? texts.noneUnread : texts.noNotifications}
        </p>
      )}
      <ul>
        {shown.map((one) => (
          <li key={one.id}>
            <Notice one={one} isFresh={fresh.has(one.id)} onOpen={onOpen} />
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

interface NoticeProps {
  one: Notification;
  isFresh: boolean;
  onOpen: NotificationsProps["onOpen"] | undefined;
}

function Notice({ one, isFresh, onOpen }: NoticeProps): ReactElement {
  const { texts, words } = useShared();
  const sign = SIGNS[one.type] ?? "bell";
  return (
    <button
      type="button"
      className="troupe-notice"
      data-fresh={isFresh || undefined}
      onClick={() => onOpen?.(one)}
    >
      <span className="troupe-notice-picture" data-type={one.type}>
        {one.actor_id !== null && <PersonAvatar userId={one.actor_id} />}
        <span className="troupe-notice-sign">
          <Icon name={sign} />
        </span>
      </span>
      <span className="troupe-notice-words">
        {isFresh && <span className="troupe-unseen">{texts.newMark}</span>}
        <span className="troupe-notice-text" dir="auto">
          {one.message}
        </span>
        <time className="troupe-soft" dateTime={one.created_at}>
          {words.short(one.created_at)}
        </time>
      </span>
    </button>
  );
}

/** Those that were unread when the list was opened, or came since, stay marked until it is closed. */
function useFresh(items: readonly Notification[]): Set<string> {
  const fresh = useRef(new Set<string>());
  for (const { id, read_at } of items) if (read_at === null) fresh.current.add(id);
  return fresh.current;
}

/** Marks what stands before the reader. */
function useReading(isOn: boolean, unread: number, count: number): void {
  const client = useTroupe();
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!isOn || unread === 0 || count === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const mark = async (): Promise<void> => {
      if (document.visibilityState !== "visible") return;
      const isMarked = await attempt(inboxOf(client).markRead());
      if (!isMarked) timer = setTimeout(() => setTurn(turn + 1), MARK_AGAIN_MS);
    };
    const look = (): void => void mark();
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [client, isOn, unread, count, turn]);
}
