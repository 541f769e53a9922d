/**
 * The conversations, pinned ones first, then by newest activity, with what is unread and who
 * types; filtered, and each with a menu of what one can do with it.
 */
import { memo, type ReactElement, useState } from "react";
import { isMuted } from "../../protocol/prefs-rules.ts";
import { useIsListed, useMe } from "../react.ts";
import { Avatar, PersonAvatar } from "./avatar.tsx";
import { isChannel } from "./channel.tsx";
import { useShared } from "./frame.tsx";
import { Icon } from "./icons.tsx";
import { type Filter, nowIso, useListed, usePrefs } from "./listing.ts";
import type { RowProps } from "./parts.ts";
import { RowMenu } from "./row-menu.tsx";
import { useNames, useTitle } from "./titles.tsx";
import { gistOf } from "./words.ts";

export interface ConversationListProps {
  /** The one that is open. */
  selected?: string | null;
  /** Default true; false: without the choice between all, unread and archived ones. */
  hasFilters?: boolean;
  onSelect(conversationId: string): void;
  /** Shows a button that opens the search. */
  onSearch?(): void;
}

export function ConversationList(props: ConversationListProps): ReactElement {
  const { selected = null, hasFilters = true, onSelect, onSearch } = props;
  const { texts } = useShared();
  const [filter, setFilter] = useState<Filter>("all");
  const views = useListed(filter, selected);
  const isListed = useIsListed();
  const none = {
    all: texts.noConversations,
    unread: texts.noneUnread,
    archived: texts.noneArchived,
  };
  return (
    <nav
      className="troupe-list"
      aria-label={texts.conversations}
      aria-busy={!isListed || undefined}
    >
      {hasFilters && <Filters filter={filter} onFilter={setFilter} onSearch={onSearch} />}
      {views.length === 0 && (
        <p className="troupe-empty">{isListed ? none[filter] : texts.loading}</p>
      )}
      <ul>
        {views.map((view) => (
          <li key={view.id} className="troupe-row-place">
            <Row view={view} isSelected={view.id === selected} onSelect={onSelect} />
            <RowMenu view={view} />
          </li>
        ))}
      </ul>
    </nav>
  );
}

interface FiltersProps {
  filter: Filter;
  onFilter(filter: Filter): void;
  onSearch: (() => void) | undefined;
}

const Filters = memo(function Filters(props: FiltersProps): ReactElement {
  const { filter, onFilter, onSearch } = props;
  const { texts } = useShared();
  const names = {
    all: texts.filterAll,
    unread: texts.filterUnread,
    archived: texts.filterArchived,
  };
  return (
    <fieldset className="troupe-filters" aria-label={texts.filter}>
      {(["all", "unread", "archived"] as const).map((one) => (
        <button key={one} type="button" aria-pressed={one === filter} onClick={() => onFilter(one)}>
          {names[one]}
        </button>
      ))}
      {onSearch && (
        <button
          type="button"
          className="troupe-search-button"
          title={texts.search}
          aria-label={texts.search}
          aria-keyshortcuts="Control+K"
          onClick={onSearch}
        >
          <Icon name="search" />
        </button>
      )}
    </fieldset>
  );
});

const Row = memo(function Row(props: RowProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Row ?? OwnRow;
  return <Part {...props} />;
});

function OwnRow({ view, isSelected, onSelect }: RowProps): ReactElement {
  const { texts, words } = useShared();
  const { title, peerId } = useTitle(view);
  const meId = useMe()?.id;
  const { lastMessage, unread } = view;
  const isGroup = peerId === null;
  const senderId = lastMessage?.sender_id ?? null;
  const [sender] = useNames(isGroup && senderId !== null && senderId !== meId ? [senderId] : []);
  const typing = useNames(view.typing);
  const from = senderId === meId && lastMessage !== null ? texts.you : sender;
  const prefs = usePrefs(view.id);
  const isSilent = prefs !== null && isMuted(prefs, nowIso());
  const gist = lastMessage === null ? "" : gistOf(lastMessage, texts);
  const body = lastMessage?.deleted_at ? texts.deleted : gist;
  const draft = isSelected ? undefined : prefs?.draft?.body;
  // New messages of a channel that is not watched are not here, but their number is.
  const isBehind =
    isChannel(view) && unread > 0 && view.conversation.last_seq > (lastMessage?.seq ?? 0);
  const last = isBehind ? texts.unread(unread) : from ? `${from}: ${body}` : body;
  const written = draft === undefined ? last : `${texts.draft}: ${draft}`;
  const said = typing.length > 0 ? texts.typing(typing) : written;
  const at = lastMessage === null ? "" : words.short(lastMessage.created_at);
  return (
    <button
      type="button"
      className="troupe-row"
      aria-current={isSelected ? "true" : undefined}
      data-unread={unread > 0 || undefined}
      onClick={() => onSelect(view.id)}
    >
      {peerId === null ? <Avatar id={view.id} name={title} /> : <PersonAvatar userId={peerId} />}
      <span className="troupe-row-text">
        <span className="troupe-row-line">
          <span className="troupe-row-title">
            <bdi>{title}</bdi>
          </span>
          <time className="troupe-soft">{at}</time>
        </span>
        <span className="troupe-row-line">
          <span
            className="troupe-row-said"
            data-typing={typing.length > 0 || undefined}
            data-draft={(typing.length === 0 && draft !== undefined) || undefined}
          >
            <bdi>{said}</bdi>
          </span>
          {isSilent && <Mark icon="mute" label={texts.muted} />}
          {prefs?.pinned_at !== undefined && <Mark icon="pin" label={texts.pinnedMark} />}
          {unread > 0 && (
            <span className="troupe-badge" data-muted={isSilent || undefined}>
              <span aria-hidden="true">{unread > 99 ? "99+" : unread}</span>
              <span className="troupe-unseen">{texts.unread(unread)}</span>
            </span>
          )}
        </span>
      </span>
    </button>
  );
}

function Mark({ icon, label }: { icon: "mute" | "pin"; label: string }): ReactElement {
  return (
    <span className="troupe-mark" role="img" aria-label={label}>
      <Icon name={icon} />
    </span>
  );
}
