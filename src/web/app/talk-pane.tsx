/** The open conversation, or what there is to do without one. */
import { type ReactElement, useEffect } from "react";
import {
  useConnection,
  useConversation,
  useIsListed,
  useMe,
  useTroupe,
} from "../../client/react.ts";
import { Conversation } from "../../client/ui/conversation.tsx";
import { Icon } from "../../client/ui/icons.tsx";
import type { Target } from "../../client/ui/message-list.tsx";
import { peerOf } from "../../client/views.ts";
import { goTo, usePage } from "./context.ts";
import { answerOf } from "./http.ts";
import { talkAddress } from "./route.ts";

/** On a phone the keyboard would cover half of what was just opened. */
const hasKeyboard = matchMedia("(pointer: fine)").matches;

export interface TalkPaneProps {
  talkId: string | null;
  /** A message to be shown, and of which conversation. */
  target: (Target & { id: string }) | null;
  onCompose(): void;
}

export function TalkPane({ talkId, target, onCompose }: TalkPaneProps): ReactElement {
  const { openPerson } = usePage();
  const view = useConversation(talkId);
  const meId = useMe()?.id ?? "";
  useLeavingNowhere(talkId, view !== null);
  if (talkId === null) {
    return (
      <section className="pane" aria-label="Conversation">
        <div className="empty talk-none">
          <p className="empty-title">Pick a conversation</p>
          <p>Or start a new one: someone may be waiting for your line.</p>
          <button type="button" className="button-primary" onClick={onCompose}>
            Write to somebody
          </button>
        </div>
      </section>
    );
  }
  const peerId = view === null ? null : peerOf(view, meId);
  return (
    <div className="pane">
      <Conversation
        id={talkId}
        onBack={() => goTo(talkAddress(null))}
        isFirstFocused={hasKeyboard}
        target={target?.id === talkId ? target : null}
        actions={
          peerId !== null && (
            <button
              type="button"
              className="troupe-tool"
              title="About this person"
              aria-label="About this person"
              aria-haspopup="dialog"
              onClick={() => openPerson(peerId)}
            >
              <Icon name="person" />
            </button>
          )
        }
      />
    </div>
  );
}

/** An address that leads nowhere, or no longer, is left. */
function useLeavingNowhere(id: string | null, isHere: boolean): void {
  const client = useTroupe();
  const isOnline = useConnection().is === "online";
  const isListed = useIsListed();
  useEffect(() => {
    if (id === null || isHere || !isOnline || !isListed) return;
    let isOver = false;
    void answerOf(client.api("GET /api/conversations/:id", { id })).then((answer) => {
      const isNowhere =
        !answer.ok && /^(not_found|forbidden|invalid_payload)$/.test(answer.error.code);
      if (isNowhere && !isOver) goTo(talkAddress(null));
    });
    return () => {
      isOver = true;
    };
  }, [client, id, isHere, isOnline, isListed]);
}
