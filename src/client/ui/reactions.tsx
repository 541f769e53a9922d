/** The reactions to a message: how many of each, which are one's own, and a small picker. */
import { type ReactElement, useCallback } from "react";
import type { Message } from "../../protocol/schemas.ts";
import { attempt } from "../attached.ts";
import { useTroupe } from "../react.ts";
import { react } from "../reactions.ts";
import { useShared } from "./frame.tsx";
import type { ReactionsProps } from "./parts.ts";
import { Popup } from "./popup.tsx";

/** What the picker offers. */
const KEYS = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👏", "🔥", "👀", "✅", "💯"];

/** Shows nothing while there are none. */
export function Reactions(props: ReactionsProps): ReactElement | null {
  const { parts } = useShared();
  const Part = parts.Reactions ?? OwnReactions;
  return props.message.reactions === undefined ? null : <Part {...props} />;
}

/** The sign may come in another form of the same key. */
const plain = (key: string): string => key.replaceAll("\ufe0f", "");

function useReact(message: Message): (key: string, on: boolean) => void {
  const client = useTroupe();
  const { conversation_id, seq } = message;
  return useCallback(
    // What is refused stays as it is; the next event says what is true.
    (key, on) => void attempt(react(client, { conversation_id, seq, key, on })),
    [client, conversation_id, seq],
  );
}

function OwnReactions({ message, own, mayReact }: ReactionsProps): ReactElement {
  const { texts } = useShared();
  const set = useReact(message);
  const ownKeys = own.map(plain);
  return (
    <ul className="troupe-reactions" aria-label={texts.reactions}>
      {(message.reactions ?? []).map(({ key, count }) => {
        const isOwn = ownKeys.includes(plain(key));
        return (
          <li key={key}>
            <button
              type="button"
              className="troupe-reaction"
              aria-pressed={isOwn}
              aria-label={texts.reaction(key, count)}
              disabled={!mayReact && !isOwn}
              onClick={() => set(key, !isOwn)}
            >
              <span aria-hidden="true">{key}</span>
              <span aria-hidden="true">{count}</span>
            </button>
          </li>
        );
      })}
      {mayReact && (
        <li>
          <ReactionPicker message={message} className="troupe-reaction" />
        </li>
      )}
    </ul>
  );
}

/** A button that offers some signs to react with. */
export function ReactionPicker(props: { message: Message; className?: string }): ReactElement {
  const { texts } = useShared();
  return (
    <Popup
      icon="react"
      label={texts.react}
      {...(props.className !== undefined && { className: props.className })}
    >
      {(close) => <Picker message={props.message} close={close} />}
    </Popup>
  );
}

/** The signs. */
export function Picker(props: { message: Message; close(): void }): ReactElement {
  const { texts } = useShared();
  const set = useReact(props.message);
  return (
    <div className="troupe-picker">
      {KEYS.map((key) => (
        <button
          key={key}
          type="button"
          aria-label={texts.reactWith(key)}
          onClick={() => {
            set(key, true);
            props.close();
          }}
        >
          {key}
        </button>
      ))}
    </div>
  );
}
