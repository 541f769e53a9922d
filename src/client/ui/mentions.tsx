/**
 * Completion of `@name` in the composer: members whose name begins with what stands before the
 * caret, asked of the server, of which the newest answer counts.
 */
import { type KeyboardEvent, type ReactElement, useEffect, useId, useState } from "react";
import type { CallAnswer } from "../api.ts";
import { attempt } from "../attached.ts";
import type { Client } from "../client.ts";
import { useMe, useTroupe } from "../react.ts";
import { PersonAvatar } from "./avatar.tsx";
import { useShared } from "./frame.tsx";
import { useUsers } from "./titles.tsx";

const SHOWN_MAX = 6;
const ALL = "all";

/** What stands before the caret, and where it begins. */
interface Asked {
  from: number;
  query: string;
}

export interface Completion {
  /** Props of the field. */
  field: {
    "aria-autocomplete": "list";
    "aria-controls": string | undefined;
    "aria-activedescendant": string | undefined;
  };
  /** The list, while there is one. */
  list: ReactElement | null;
  /** Called with what is written and where the caret is. */
  look(text: string, caret: number): void;
  /** Whether the key was meant for the list. */
  onKeyDown(event: KeyboardEvent): boolean;
}

/** `onChoose` receives the username and which characters it takes the place of. */
export function useCompletion(
  conversationId: string,
  mayMentionAll: boolean,
  onChoose: (username: string, from: number, to: number) => void,
): Completion {
  const client = useTroupe();
  const { texts } = useShared();
  const meId = useMe()?.id;
  const listId = useId();
  const [asked, setAsked] = useState<Asked | null>(null);
  const [found, setFound] = useState<readonly string[]>([]);
  const [active, setActive] = useState(0);
  const users = useUsers(asked === null ? [] : found);

  const query = asked?.query;
  useEffect(() => {
    setActive(0);
    setFound([]);
    if (query === undefined) return;
    let isOver = false;
    void attempt(
      membersBeginningWith(client, conversationId, query).then((members) => {
        if (!isOver) setFound(members);
      }),
    );
    return () => {
      isOver = true;
    };
  }, [client, conversationId, query]);

  const names = found
    .filter((id) => id !== meId)
    .slice(0, SHOWN_MAX)
    .flatMap((id) => users.get(id) ?? [])
    .map(({ id, username, display_name }) => ({ id, username, name: display_name || username }));
  const hasAll = mayMentionAll && query !== undefined && ALL.startsWith(query);
  const options = [...names, ...(hasAll ? [{ id: "", username: ALL, name: texts.everyone }] : [])];
  const isShown = asked !== null && options.length > 0;
  const at = Math.min(active, options.length - 1);
  const optionId = (n: number): string => `${listId}.${n}`;

  const choose = (n: number): void => {
    const option = options[n];
    if (asked === null || option === undefined) return;
    onChoose(option.username, asked.from, asked.from + 1 + asked.query.length);
    setAsked(null);
  };

  return {
    field: {
      "aria-autocomplete": "list",
      "aria-controls": isShown ? listId : undefined,
      "aria-activedescendant": isShown ? optionId(at) : undefined,
    },
    look(text, caret) {
      const [, before, begun] =
        /(^|[^\p{L}\p{N}._@])@([\p{L}\p{N}_.]*)$/u.exec(text.slice(0, caret)) ?? [];
      if (begun === undefined || before === undefined) return setAsked(null);
      setAsked({ from: caret - begun.length - 1, query: begun.toLowerCase() });
    },
    onKeyDown(event) {
      if (!isShown) return false;
      if (event.key === "ArrowDown") setActive((at + 1) % options.length);
      else if (event.key === "ArrowUp") setActive((at + options.length - 1) % options.length);
      else if (event.key === "Enter" || event.key === "Tab") choose(at);
      else if (event.key === "Escape") setAsked(null);
      else return false;
      event.preventDefault();
      return true;
    },
    list: isShown ? (
      <div className="troupe-completion" id={listId} role="listbox" aria-label={texts.mentionable}>
        {options.map(({ id, username, name }, n) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the field's, which keeps the focus
          <div
            key={username}
            id={optionId(n)}
            role="option"
            aria-selected={n === at}
            tabIndex={-1}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => choose(n)}
          >
            {id !== "" && <PersonAvatar userId={id} size="small" />}
            <bdi>{name}</bdi>
            <span className="troupe-soft">@{username}</span>
          </div>
        ))}
      </div>
    ) : null,
  };
}

async function membersBeginningWith(
  client: Client,
  id: string,
  q: string,
): Promise<readonly string[]> {
  const here = client.conversation(id).get()?.conversation;
  if (q === "" && here !== undefined) {
    return here.members.slice(0, SHOWN_MAX + 1).map(({ user_id }) => user_id);
  }
  const page: CallAnswer<"GET /api/conversations/:id/members"> = await client.api(
    "GET /api/conversations/:id/members",
    { id, limit: SHOWN_MAX + 1, ...(q !== "" && { q }) },
  );
  return page.items.map(({ user_id }) => user_id);
}
