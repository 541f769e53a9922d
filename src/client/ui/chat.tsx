/** Everything together: the list beside a conversation, one of the two where it is narrow. */
import { type ReactElement, useState } from "react";
import type { Client } from "../client.ts";
import { Conversation } from "./conversation.tsx";
import { ConversationList } from "./conversation-list.tsx";
import { TroupeUI, type TroupeUIProps } from "./frame.tsx";
import type { Target } from "./message-list.tsx";
import { placeOfMessage, Search, useSearchKey } from "./search.tsx";

export interface ChatProps extends Omit<TroupeUIProps, "children"> {
  /** The conversation to begin with. */
  conversationId?: string | null;
  /** Default true; false: the one conversation alone. */
  hasList?: boolean;
  onSelect?(conversationId: string | null): void;
}

/** `<Chat client={client} />` is a working chat, as high as what it stands in. */
export function Chat(props: ChatProps): ReactElement {
  const { conversationId = null, hasList = true, onSelect, ...look } = props;
  const [chosen, setChosen] = useState(conversationId);
  const [given, setGiven] = useState(conversationId);
  const [target, setTarget] = useState<Target | null>(null);
  if (given !== conversationId) {
    setGiven(conversationId);
    setChosen(conversationId);
  }
  const select = (id: string | null, at: Target | null = null): void => {
    setTarget(at);
    setChosen(id);
    onSelect?.(id);
  };
  return (
    <TroupeUI {...look}>
      {hasList ? (
        <Listed client={look.client} chosen={chosen} target={target} select={select} />
      ) : (
        <div className="troupe-chat" data-open>
          <Conversation id={chosen} />
        </div>
      )}
    </TroupeUI>
  );
}

interface ListedProps {
  client: Client;
  chosen: string | null;
  target: Target | null;
  select(id: string | null, at?: Target | null): void;
}

function Listed({ client, chosen, target, select }: ListedProps): ReactElement {
  const [isSearching, setSearching] = useState(false);
  const search = (): void => setSearching(true);
  useSearchKey(search);
  return (
    <div className="troupe-chat" data-open={chosen !== null || undefined}>
      <ConversationList selected={chosen} onSelect={select} onSearch={search} />
      <Conversation id={chosen} onBack={() => select(null)} target={target} />
      {isSearching && (
        <Search
          onClose={() => setSearching(false)}
          onConversation={select}
          onPerson={({ id }) =>
            void client.createConversation([id]).then(
              (conversation) => select(conversation.id),
              // The server refuses it, for instance after a block: nothing is opened.
              () => undefined,
            )
          }
          onMessage={(id, seq) =>
            void placeOfMessage(client, id, seq).then((place) => select(place.id, place.target))
          }
        />
      )}
    </div>
  );
}
