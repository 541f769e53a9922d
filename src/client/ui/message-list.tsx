/**
 * The messages of a conversation: only those in sight are in the page, however many there are.
 * It stays at the newest while one is there, keeps its place where one reads further up, loads
 * older ones as they come near, and marks as read what has been seen.
 */
import {
  memo,
  type ReactElement,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import type { Message as WireMessage } from "../../protocol/schemas.ts";
import { attempt } from "../attached.ts";
import { useConnection, useConversation, useMe, useTroupe } from "../react.ts";
import { streamsOf } from "../streams.ts";
import { type ConversationView, progressOf } from "../views.ts";
import { appears, Drawings } from "./drawn.ts";
import { useShared } from "./frame.tsx";
import { Icon } from "./icons.tsx";
import { useMay } from "./may.ts";
import { Message, OutgoingMessage } from "./message.tsx";
import { type Row, rowsOf } from "./rows.ts";
import { useNames } from "./titles.tsx";

/** Within this many pixels of the end one is there. */
const END_PX = 48;
/** Older messages are asked for this far before the top comes into sight. */
const AHEAD_PX = 600;
const PAGE = 100;
/** A jump does not look further back than this many pages. */
const JUMP_PAGES_MAX = 100;

/** Shows which message was meant. */
const FLASH = { backgroundColor: ["rgb(190 90 130 / 35%)", "transparent"] };
const FLASH_MS = 1_600;

export interface MessageListProps {
  conversationId: string;
  onReply?(message: WireMessage): void;
  onEdit?(message: WireMessage): void;
  /** Shows the thread of a message. */
  onThread?(message: WireMessage): void;
  /** A message to be shown; each new object is a new wish. */
  target?: Target | null;
}

export interface Target {
  seq: number;
  /** What is meant is the thread of that message. */
  isThread?: boolean;
}

const NONE: readonly string[] = [];

/** [KIT40] Drawn by what it shows, and not whenever what stands around it is. */
export const MessageList = memo(function MessageList(props: MessageListProps): ReactElement {
  const { texts } = useShared();
  const view = useConversation(props.conversationId);
  const { is } = useConnection();
  // Until the newest page is here the last message alone is known: the others would push it about.
  const isDown = is === "waiting" || is === "closed";
  const isAwaited = view !== null && !view.isLoaded && view.messages.length < (isDown ? 1 : 2);
  if (view === null || isAwaited) {
    return (
      <div className="troupe-messages" aria-busy={view !== null || undefined}>
        <p className="troupe-empty">{view === null ? texts.noConversation : texts.loading}</p>
      </div>
    );
  }
  return <List key={props.conversationId} {...props} view={view} />;
});

function List(props: MessageListProps & { view: ConversationView }): ReactElement {
  const { view, conversationId, onReply, onEdit, onThread, target = null } = props;
  const { texts, words } = useShared();
  const client = useTroupe();
  // Text that is streamed grows from then on.
  streamsOf(client);
  const meId = useMe()?.id ?? "";
  const may = useMay(view);
  const scroll = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualizerHandle>(null);
  const isAtEnd = useRef(true);
  const loading = useRef<Promise<boolean> | null>(null);
  const [isAway, setIsAway] = useState(false);
  const isSettled = useSettled();
  /** Where the new ones began when the list was opened. */
  const [newAfterSeq] = useState(view.unread > 0 ? view.readSeq : null);

  const { messages, outgoing } = view;
  const all = useMemo(
    () => rowsOf(messages, outgoing, newAfterSeq, meId),
    [messages, outgoing, newAfterSeq, meId],
  );
  const { rows, isShifted } = useOneEnd(all);
  const bySeq = useMemo(() => new Map(messages.map((one) => [one.seq, one])), [messages]);
  const latest = useRef({ rows, view });
  latest.current = { rows, view };
  const [drawings] = useState(() => new Drawings());
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever there are others
  useLayoutEffect(() => drawings.drawn(), [rows, drawings]);

  const toEnd = useCallback((): void => {
    list.current?.scrollToIndex(latest.current.rows.length - 1, { align: "end" });
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever there are others
  useLayoutEffect(() => {
    if (isAtEnd.current) toEnd();
  }, [rows, toEnd]);

  const markSeen = useCallback((): void => {
    const { view: shown } = latest.current;
    const isSeen = isAtEnd.current && document.visibilityState === "visible";
    if (isSeen && shown.unread > 0) client.markRead(shown.id);
  }, [client]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever something came
  useEffect(markSeen, [view.unread, markSeen]);
  useEffect(() => {
    document.addEventListener("visibilitychange", markSeen);
    return () => document.removeEventListener("visibilitychange", markSeen);
  }, [markSeen]);

  /** Whether the page came: out of reach now, the next scroll asks again. */
  const loadOlder = useCallback((): Promise<boolean> => {
    loading.current ??= attempt(client.loadOlder(conversationId, PAGE)).finally(() => {
      loading.current = null;
    });
    return loading.current;
  }, [client, conversationId]);

  const look = useCallback((): void => {
    const at = list.current;
    if (at === null) return;
    isAtEnd.current = at.scrollSize - at.scrollOffset - at.viewportSize < END_PX;
    setIsAway(!isAtEnd.current);
    markSeen();
    if (at.scrollOffset < AHEAD_PX && latest.current.view.hasOlder) void loadOlder();
  }, [loadOlder, markSeen]);

  const jump = useCallback(
    async (seq: number): Promise<void> => {
      const find = (): number =>
        latest.current.rows.findIndex((row) => row.is === "message" && row.message.seq === seq);
      const talk = client.conversation(conversationId);
      const isHeld = () => talk.get()?.messages.some((one) => one.seq === seq);
      for (let n = 0; n < JUMP_PAGES_MAX && !isHeld(); n++) {
        if (!talk.get()?.hasOlder || !(await loadOlder())) return;
      }
      if (!isHeld()) return;
      // It is among the rows once they are drawn.
      if (find() === -1) await drawings.next();
      const at = find();
      if (at === -1) return;
      isAtEnd.current = false;
      list.current?.scrollToIndex(at, { align: "center" });
      const { current: root } = scroll;
      if (root === null) return;
      const shown = await appears(root, () => root.querySelector(`[data-seq="${seq}"]`));
      shown?.animate(FLASH, FLASH_MS);
    },
    [client, conversationId, loadOlder, drawings],
  );
  const onJump = useCallback((seq: number) => void jump(seq), [jump]);
  useEffect(() => {
    if (target !== null) void jump(target.seq);
  }, [target, jump]);

  const draw = (row: Row): ReactElement => {
    switch (row.is) {
      case "day":
        return (
          <div key={row.key} className="troupe-day">
            <span>{words.day(row.at)}</span>
          </div>
        );
      case "new":
        return (
          <div key={row.key} className="troupe-new">
            <span>{texts.newMessages}</span>
          </div>
        );
      case "outgoing":
        return <OutgoingMessage key={row.key} outgoing={row.outgoing} />;
      case "message": {
        const { message, isFirst, isLast } = row;
        const isOwn = message.sender_id === meId;
        return (
          <Message
            key={row.key}
            message={message}
            isOwn={isOwn}
            isFirst={isFirst}
            isLast={isLast}
            isGroup={view.conversation.kind !== "direct"}
            progress={isOwn && isLast ? progressOf(view, message) : null}
            quoted={bySeq.get(message.reply_to_seq ?? 0) ?? null}
            own={view.ownReactions.get(message.seq) ?? NONE}
            may={may}
            onReply={onReply}
            onEdit={onEdit}
            onThread={onThread}
            onJump={onJump}
          />
        );
      }
    }
  };

  return (
    <div className="troupe-messages">
      <div
        ref={scroll}
        className="troupe-scroll"
        data-settling={!isSettled || undefined}
        role="log"
        aria-label={texts.messages}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
        tabIndex={0}
      >
        {rows.length === 0 && <p className="troupe-empty">{texts.noMessages}</p>}
        <div className="troupe-fill" />
        <Virtualizer ref={list} data={rows} scrollRef={scroll} shift={isShifted} onScroll={look}>
          {draw}
        </Virtualizer>
        <Typing view={view} />
      </div>
      {isAway && (
        <button
          type="button"
          className="troupe-to-newest"
          onClick={toEnd}
          aria-label={view.unread > 0 ? texts.unread(view.unread) : texts.toNewest}
        >
          {view.unread > 0 && <span className="troupe-badge">{view.unread}</span>}
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

/**
 * [KIT43] Where rows came before those there were, the list keeps its place by its end: those that came
 * after them are then drawn in a step of their own.
 */
function useOneEnd(all: readonly Row[]): { rows: readonly Row[]; isShifted: boolean } {
  const drawn = useRef<{ top?: string | undefined; end?: string | undefined }>({});
  const [, drawOthers] = useReducer((n: number) => n + 1, 0);
  const before = drawn.current;
  const top = all.find((row) => row.is === "message")?.key;
  const isShifted =
    before.top !== undefined && before.top !== top && all.some(({ key }) => key === before.top);
  const end = isShifted ? all.findIndex(({ key }) => key === before.end) : -1;
  const rows = useMemo(() => (end === -1 ? all : all.slice(0, end + 1)), [all, end]);
  useLayoutEffect(() => {
    drawn.current = { top, end: rows.at(-1)?.key };
    if (rows.length < all.length) drawOthers();
  }, [all, rows, top]);
  return { rows, isShifted };
}

/** Whether the rows have been measured: until then they would be seen to move. */
function useSettled(): boolean {
  const [isSettled, setSettled] = useState(false);
  useEffect(() => {
    let frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(() => setSettled(true));
    });
    return () => cancelAnimationFrame(frame);
  }, []);
  return isSettled;
}

function Typing({ view }: { view: ConversationView }): ReactElement {
  const { texts } = useShared();
  const names = useNames(view.typing);
  return (
    <p className="troupe-typing" aria-live="polite">
      {names.length > 0 && texts.typing(names)}
    </p>
  );
}
