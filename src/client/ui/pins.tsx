/** The pinned messages of a conversation, the newest pin first, kept current while it is shown. */
import { type ReactElement, useEffect, useState } from "react";
import type { Message } from "../../protocol/schemas.ts";
import { attempt } from "../attached.ts";
import { useTroupe } from "../react.ts";
import { Attachments } from "./attachments.tsx";
import { useName } from "./avatar.tsx";
import { Body } from "./body.tsx";
import { useShared } from "./frame.tsx";
import { Panel } from "./panel.tsx";

export interface PinsProps {
  conversationId: string;
  onJump?(seq: number): void;
  onClose?: () => void;
}

const newestPin = (a: Message, b: Message): number =>
  Date.parse(b.pinned_at ?? "") - Date.parse(a.pinned_at ?? "");

export function Pins({ conversationId, onJump, onClose }: PinsProps): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  const [pins, setPins] = useState<readonly Message[] | null>(null);
  useEffect(() => {
    const news = new Map<number, Message>();
    const take = (known: readonly Message[]): void => {
      const others = known.filter(({ seq }) => !news.has(seq));
      const pinned = [...news.values()].filter(({ pinned_at }) => pinned_at !== undefined);
      setPins([...pinned, ...others].sort(newestPin));
    };
    let first: readonly Message[] = [];
    const end = client.on("message_updated", (message) => {
      if (message.conversation_id !== conversationId) return;
      news.set(message.seq, message);
      take(first);
    });
    const load = client.api("GET /api/conversations/:id/pins", { id: conversationId });
    void attempt(
      load.then(({ items }) => {
        first = items;
        take(first);
      }),
    );
    return end;
  }, [client, conversationId]);
  return (
    <Panel title={texts.pinned} onClose={onClose}>
      {(pins === null || pins.length === 0) && (
        <p className="troupe-empty">{pins === null ? texts.loading : texts.noPins}</p>
      )}
      <ul className="troupe-pins">
        {pins?.map((message) => (
          <li key={message.seq}>
            <Pinned message={message} onJump={onJump} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

interface PinnedProps {
  message: Message;
  onJump: ((seq: number) => void) | undefined;
}

function Pinned({ message, onJump }: PinnedProps): ReactElement {
  const { texts, words } = useShared();
  return (
    <article className="troupe-pinned">
      <span className="troupe-row-line">
        <strong>{message.sender_id !== null && <Sender id={message.sender_id} />}</strong>
        <time className="troupe-soft" dateTime={message.created_at}>
          {words.short(message.created_at)}
        </time>
      </span>
      <Attachments message={message} />
      <p className="troupe-body" dir="auto">
        <Body message={message} />
      </p>
      {onJump && (
        <button type="button" onClick={() => onJump(message.seq)}>
          {texts.jump}
        </button>
      )}
    </article>
  );
}

function Sender({ id }: { id: string }): ReactElement {
  return <bdi>{useName(id)}</bdi>;
}
