/**
 * What one searches for: people, conversations and messages in one dialog. Arrows choose, Enter opens
 * and Escape closes. `useSearchKey` opens it with Ctrl+K, or Cmd+K on a Mac.
 */
import {
  type KeyboardEvent,
  type ReactElement,
  type ReactNode,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
} from "react";
import type { User } from "../../protocol/schemas.ts";
import { attempt } from "../attached.ts";
import type { Client } from "../client.ts";
import { useConversations, useMe, useTroupe } from "../react.ts";
import { type FoundMessage, partsOf, searchMessages, searchPeople } from "../search.ts";
import { usersOf } from "../users.ts";
import { type ConversationView, peerOf } from "../views.ts";
import { Avatar, PersonAvatar, useName } from "./avatar.tsx";
import { useShared } from "./frame.tsx";
import type { Target } from "./message-list.tsx";
import type { SearchProps } from "./parts.ts";
import { useTitle } from "./titles.tsx";

/** A server is not asked at each keystroke. */
const PAUSE_MS = 200;
const SHOWN_MAX = 6;
const MESSAGES_MAX = 20;

type Found =
  | { is: "conversation"; key: string; view: ConversationView }
  | { is: "person"; key: string; user: User }
  | { is: "message"; key: string; found: FoundMessage };

/** Calls `open` at Ctrl+K or Cmd+K. */
export function useSearchKey(open: () => void): void {
  const latest = useRef(open);
  latest.current = open;
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent): void => {
      if (event.key.toLowerCase() !== "k" || event.shiftKey || event.altKey) return;
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      latest.current();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

/** Where a message is shown: one of a thread in the conversation that the thread belongs to. */
export async function placeOfMessage(
  client: Client,
  id: string,
  seq: number,
): Promise<{ id: string; target: Target }> {
  let parent = client.conversation(id).get()?.conversation.parent;
  await attempt(
    client.api("GET /api/conversations/:id", { id }).then((conversation) => {
      parent = conversation.parent;
    }),
  );
  if (parent === undefined) return { id, target: { seq } };
  return { id: parent.conversation_id, target: { seq: parent.seq, isThread: true } };
}

export function Search(props: SearchProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Search ?? OwnSearch;
  return <Part {...props} />;
}

function OwnSearch(props: SearchProps): ReactElement {
  const { onClose, onConversation, onPerson, onMessage } = props;
  const { texts } = useShared();
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const listId = useId();
  const q = query.trim();
  const { people, messages, isAsking } = useAsked(q);
  const views = useMatching(q);
  const all: readonly Found[] = [
    ...views.map((view): Found => ({ is: "conversation", key: `c${view.id}`, view })),
    ...people.map((user): Found => ({ is: "person", key: `p${user.id}`, user })),
    ...messages.map((found): Found => ({ is: "message", key: `m${found.message.id}`, found })),
  ];
  const at = Math.min(active, all.length - 1);

  useEffect(() => {
    const node = dialog.current;
    node?.showModal();
    return () => node?.close();
  }, []);
  const activeId = `${listId}.${at}`;
  useEffect(() => {
    const root = dialog.current?.getRootNode() as Document | ShadowRoot | undefined;
    root?.getElementById(activeId)?.scrollIntoView({ block: "nearest" });
  }, [activeId]);

  const choose = (one: Found | undefined): void => {
    if (one === undefined) return;
    onClose();
    if (one.is === "conversation") onConversation(one.view.id);
    else if (one.is === "person") onPerson(one.user);
    else onMessage(one.found.message.conversation_id, one.found.message.seq);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "ArrowDown") setActive((at + 1) % Math.max(all.length, 1));
    else if (event.key === "ArrowUp") setActive((at + all.length - 1) % Math.max(all.length, 1));
    else if (event.key === "Enter") choose(all[at]);
    else return;
    event.preventDefault();
  };
  const group = (is: Found["is"], title: string): ReactNode => {
    const of = all.filter((one) => one.is === is);
    if (of.length === 0) return null;
    return (
      // biome-ignore lint/a11y/useSemanticElements: a group of options
      <div role="group" aria-label={title}>
        <p className="troupe-found-title" aria-hidden="true">
          {title}
        </p>
        {of.map((one) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the field's, which keeps the focus
          <div
            key={one.key}
            id={`${listId}.${all.indexOf(one)}`}
            className="troupe-found"
            role="option"
            tabIndex={-1}
            aria-selected={one === all[at]}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => choose(one)}
          >
            {one.is === "conversation" && <FoundConversation view={one.view} />}
            {one.is === "person" && <FoundPerson user={one.user} />}
            {one.is === "message" && <FoundText found={one.found} />}
          </div>
        ))}
      </div>
    );
  };

  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it, as every dialog
    <dialog
      ref={dialog}
      className="troupe-search"
      aria-label={texts.search}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === event.currentTarget) onClose();
      }}
    >
      <div className="troupe-search-box">
        <input
          autoFocus
          type="text"
          enterKeyHint="search"
          role="combobox"
          dir="auto"
          value={query}
          placeholder={texts.searchFor}
          aria-label={texts.searchFor}
          aria-expanded={all.length > 0}
          aria-controls={listId}
          aria-autocomplete="list"
          aria-activedescendant={all.length > 0 ? activeId : undefined}
          onChange={(event) => {
            setQuery(event.target.value);
            setActive(0);
          }}
          onKeyDown={onKeyDown}
        />
        <div id={listId} className="troupe-found-list" role="listbox" aria-label={texts.found}>
          {group("conversation", texts.conversations)}
          {group("person", texts.people)}
          {group("message", texts.messages)}
        </div>
        <p className="troupe-found-none" role="status">
          {q !== "" && all.length === 0 ? (isAsking ? texts.loading : texts.nothingFound) : ""}
        </p>
      </div>
    </dialog>
  );
}

interface Asked {
  people: readonly User[];
  messages: readonly FoundMessage[];
  isAsking: boolean;
}
const NOTHING: Asked = { people: [], messages: [], isAsking: false };

/** What the server finds; the answer to the newest question counts. */
function useAsked(q: string): Asked {
  const client = useTroupe();
  const meId = useMe()?.id;
  const [asked, setAsked] = useState<Asked>(NOTHING);
  useEffect(() => {
    if (q === "") return setAsked(NOTHING);
    setAsked((before) => ({ ...before, isAsking: true }));
    let isOver = false;
    const ask = async (): Promise<void> => {
      // A deployment may have no search of messages, or no directory: the others are shown.
      let people: readonly User[] = [];
      let messages: readonly FoundMessage[] = [];
      await Promise.all([
        attempt(
          searchPeople(client, q, SHOWN_MAX).then((found) => {
            people = found.filter(({ id }) => id !== meId);
          }),
        ),
        attempt(
          searchMessages(client, q, { limit: MESSAGES_MAX }).then((page) => {
            messages = page.items;
          }),
        ),
      ]);
      if (!isOver) setAsked({ people, messages, isAsking: false });
    };
    const timer = setTimeout(() => void ask(), PAUSE_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [client, q, meId]);
  return asked;
}

/** Those that are here, by their title or the other's name; without words the newest ones. */
function useMatching(q: string): readonly ConversationView[] {
  const client = useTroupe();
  const views = useConversations();
  const meId = useMe()?.id ?? "";
  return useMemo(() => {
    const words = q.toLowerCase();
    const users = usersOf(client);
    const nameOf = (view: ConversationView): string => {
      const peer = users.of(peerOf(view, meId) ?? "").get();
      return [view.conversation.title, peer?.display_name, peer?.username].join(" ").toLowerCase();
    };
    return views.filter((view) => nameOf(view).includes(words)).slice(0, SHOWN_MAX);
  }, [client, views, meId, q]);
}

function FoundConversation({ view }: { view: ConversationView }): ReactElement {
  const { title, peerId } = useTitle(view);
  return (
    <>
      {peerId === null ? (
        <Avatar id={view.id} name={title} size="small" />
      ) : (
        <PersonAvatar userId={peerId} size="small" />
      )}
      <bdi className="troupe-row-title">{title}</bdi>
    </>
  );
}

function FoundPerson({ user }: { user: User }): ReactElement {
  return (
    <>
      <PersonAvatar userId={user.id} size="small" />
      <bdi className="troupe-row-title">{user.display_name || user.username}</bdi>
      <span className="troupe-soft">@{user.username}</span>
    </>
  );
}

function FoundText({ found }: { found: FoundMessage }): ReactElement {
  const { words } = useShared();
  const name = useName(found.message.sender_id ?? "");
  return (
    <span className="troupe-heading">
      <span className="troupe-row-line">
        <bdi className="troupe-row-title">{name}</bdi>
        <time className="troupe-soft" dateTime={found.message.created_at}>
          {words.short(found.message.created_at)}
        </time>
      </span>
      <span className="troupe-found-text" dir="auto">
        {partsOf(found).map(({ text, isFound }, at) =>
          isFound ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: a text's parts have only their place
            <mark key={at}>{text}</mark>
          ) : (
            text
          ),
        )}
      </span>
    </span>
  );
}
