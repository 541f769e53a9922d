/** Everything together: the list beside a conversation, one of the two where it is narrow. */
import { type ReactElement, useState } from "react";
import { Conversation } from "./conversation.tsx";
import { ConversationList } from "./conversation-list.tsx";
import { TroupeUI, type TroupeUIProps } from "./frame.tsx";

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
  if (given !== conversationId) {
    setGiven(conversationId);
    setChosen(conversationId);
  }
  const select = (id: string | null): void => {
    setChosen(id);
    onSelect?.(id);
  };
  return (
    <TroupeUI {...look}>
      <div className="troupe-chat" data-open={chosen !== null || undefined}>
        {hasList && <ConversationList selected={chosen} onSelect={select} />}
        {hasList ? (
          <Conversation id={chosen} onBack={() => select(null)} />
        ) : (
          <Conversation id={chosen} />
        )}
      </div>
    </TroupeUI>
  );
}
