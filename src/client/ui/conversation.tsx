/**
 * A conversation: its header, its messages, and where one writes. A thread, what is pinned and the
 * members open beside it, one at a time.
 */
import {
  type DragEvent,
  type ReactElement,
  type ReactNode,
  useCallback,
  useEffect,
  useState,
} from "react";
import type { Message } from "../../protocol/schemas.ts";
import { systemClock } from "../clock.ts";
import { useConnection, useConversation, useIsListed } from "../react.ts";
import type { ConversationView } from "../views.ts";
import { Avatar, PersonAvatar, Presence } from "./avatar.tsx";
import { ConnectionBanner } from "./banner.tsx";
import { isChannel, JoinChannel, Occupancy, useWatching } from "./channel.tsx";
import { Composer } from "./composer.tsx";
import { useShared } from "./frame.tsx";
import { Icon } from "./icons.tsx";
import { Members } from "./members.tsx";
import { MessageList, type Target } from "./message-list.tsx";
import type { HeaderProps } from "./parts.ts";
import { Pins } from "./pins.tsx";
import { Thread } from "./thread.tsx";
import { useTitle } from "./titles.tsx";
import { useWriting } from "./writing.ts";

export interface ConversationProps {
  /** null: none is chosen. */
  id: string | null;
  /** Shows a way back, for narrow pages. */
  onBack?: () => void;
  /** What stands at the end of the header. */
  actions?: ReactNode;
  /** Shows a thread elsewhere; by default it opens beside the conversation. */
  onThread?: (message: Message) => void;
  /** A message to be shown; each new object is a new wish. */
  target?: Target | null;
  /** One can write as soon as it is shown; on a phone the keyboard would cover half of it. */
  isFirstFocused?: boolean;
}

export function Conversation({ id, ...others }: ConversationProps): ReactElement {
  const { texts } = useShared();
  const view = useConversation(id);
  const isOnline = useConnection().is === "online";
  const isListed = useIsListed();
  // Everybody who has the address of a channel that is open to join may come in by it.
  const isNowhere = useIsLater(id !== null && view === null && isOnline && isListed);
  if (id === null || view === null) {
    return (
      <div className="troupe-panes">
        <section className="troupe-conversation" aria-label={texts.messages}>
          <ConnectionBanner />
          <p className="troupe-empty">
            {id === null
              ? texts.chooseConversation
              : isNowhere
                ? texts.noConversation
                : texts.loading}
          </p>
          {id !== null && isNowhere && <JoinChannel channelId={id} />}
        </section>
      </div>
    );
  }
  return <Shown key={id} view={view} {...others} />;
}

const NOWHERE_MS = 1_000;

/** Whether it has held for a moment. */
function useIsLater(holds: boolean): boolean {
  const [isLater, setLater] = useState(false);
  useEffect(() => {
    setLater(false);
    if (!holds) return;
    return systemClock.after(NOWHERE_MS, () => setLater(true));
  }, [holds]);
  return isLater && holds;
}

type Beside = { is: "thread"; seq: number } | { is: "pins" } | { is: "members" };

type ShownProps = Omit<ConversationProps, "id"> & { view: ConversationView };

function Shown(props: ShownProps): ReactElement {
  const { view, onBack, actions, onThread, isFirstFocused = false } = props;
  const { texts } = useShared();
  const { title } = useTitle(view);
  useWatching(view);
  const { onReply, onEdit, ...writing } = useWriting(view);
  const [beside, setBeside] = useState<Beside | null>(null);
  const [target, setTarget] = useState<Target | null>(null);
  const { target: wished = null } = props;
  useEffect(() => {
    if (wished === null) return;
    setTarget(wished);
    if (wished.isThread) setBeside({ is: "thread", seq: wished.seq });
  }, [wished]);
  const { isOver, dropped, handlers } = useDrop();
  const close = useCallback((): void => setBeside(null), []);
  const openThread = useCallback(({ seq }: Message): void => setBeside({ is: "thread", seq }), []);
  const { id } = view;

  return (
    <div className="troupe-panes">
      <section className="troupe-conversation" aria-label={title} {...handlers}>
        <Header
          view={view}
          onBack={onBack}
          actions={actions}
          onPins={() => setBeside({ is: "pins" })}
          onMembers={() => setBeside({ is: "members" })}
        />
        <ConnectionBanner />
        <MessageList
          conversationId={id}
          onReply={onReply}
          onEdit={onEdit}
          onThread={onThread ?? openThread}
          target={target}
        />
        {isChannel(view) && !view.isMember ? (
          <JoinChannel channelId={id} />
        ) : (
          <Composer
            {...writing}
            conversationId={id}
            title={title}
            dropped={dropped}
            isFirstFocused={isFirstFocused}
          />
        )}
        {isOver && <p className="troupe-drop">{texts.drop}</p>}
      </section>
      {beside?.is === "thread" && (
        <Thread key={beside.seq} conversationId={id} seq={beside.seq} onClose={close} />
      )}
      {beside?.is === "pins" && (
        <Pins conversationId={id} onClose={close} onJump={(seq) => setTarget({ seq })} />
      )}
      {beside?.is === "members" && <Members conversationId={id} onClose={close} />}
    </div>
  );
}

const NO_FILES: readonly File[] = [];

/** Files that are dropped anywhere on the conversation go with what is written. */
function useDrop() {
  const [isOver, setOver] = useState(false);
  const [dropped, setDropped] = useState(NO_FILES);
  useEffect(() => {
    if (!isOver) return;
    const end = (): void => setOver(false);
    // A drag that leaves the window tells the conversation nothing.
    document.addEventListener("dragend", end);
    return () => document.removeEventListener("dragend", end);
  }, [isOver]);
  const handlers = {
    onDragOver(event: DragEvent) {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      setOver(true);
    },
    onDragLeave(event: DragEvent) {
      if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
    },
    onDrop(event: DragEvent) {
      setOver(false);
      if (event.dataTransfer.files.length === 0) return;
      event.preventDefault();
      setDropped([...event.dataTransfer.files]);
    },
  };
  return { isOver, dropped, handlers };
}

/** How many are in it, or the presence of the other one. */
function Standing({ view, peerId }: { view: ConversationView; peerId: string | null }): ReactNode {
  const { texts } = useShared();
  if (peerId !== null) return <Presence userId={peerId} />;
  return isChannel(view) ? <Occupancy view={view} /> : texts.members(view.memberCount);
}

/** The name of the conversation, with the presence of the other one of a pair. */
export function Header(props: HeaderProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Header ?? OwnHeader;
  return <Part {...props} />;
}

function OwnHeader({ view, onBack, onPins, onMembers, actions }: HeaderProps): ReactElement {
  const { texts } = useShared();
  const { title, peerId } = useTitle(view);
  return (
    <header className="troupe-header">
      {onBack && (
        <button type="button" className="troupe-back" aria-label={texts.back} onClick={onBack}>
          <Icon name="back" />
        </button>
      )}
      {peerId === null ? <Avatar id={view.id} name={title} /> : <PersonAvatar userId={peerId} />}
      <div className="troupe-heading">
        <h2>
          <bdi>{title}</bdi>
        </h2>
        <span className="troupe-soft">
          <Standing view={view} peerId={peerId} />
        </span>
      </div>
      {peerId === null && (
        <button
          type="button"
          className="troupe-tool"
          title={texts.membersTitle}
          aria-label={texts.membersTitle}
          onClick={onMembers}
        >
          <Icon name="members" />
        </button>
      )}
      <button
        type="button"
        className="troupe-tool"
        title={texts.pinned}
        aria-label={texts.pinned}
        onClick={onPins}
      >
        <Icon name="pin" />
      </button>
      {actions}
    </header>
  );
}
