/** Where one writes: Enter sends, Shift+Enter breaks the line, Up edits, Escape takes back. */
import {
  type FormEvent,
  type KeyboardEvent,
  type ReactElement,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import type { Message } from "../../protocol/schemas.ts";
import { attempt } from "../attached.ts";
import { useMe, useTroupe } from "../react.ts";
import { typingOf } from "../typing.ts";
import { useShared } from "./frame.tsx";
import { Icon } from "./icons.tsx";
import type { ComposerProps } from "./parts.ts";
import { useNames } from "./titles.tsx";
import { typedText } from "./words.ts";

export function Composer(props: ComposerProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Composer ?? OwnComposer;
  return <Part {...props} />;
}

function OwnComposer(props: ComposerProps): ReactElement {
  const { conversationId, title, replyTo, editing, onCancel, onEditLast } = props;
  const client = useTroupe();
  const { texts } = useShared();
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  const about = useId();

  useEffect(() => {
    if (editing !== null) setText(editing.body);
    if (editing !== null || replyTo !== null) field.current?.focus();
  }, [editing, replyTo]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: as high as its text
  useLayoutEffect(() => {
    const node = field.current;
    if (node === null) return;
    node.style.height = "auto";
    node.style.height = `${node.scrollHeight}px`;
  }, [text]);

  const cancel = (): void => {
    if (editing !== null) setText("");
    onCancel();
  };

  const submit = (event?: FormEvent): void => {
    event?.preventDefault();
    const body = typedText(text);
    if (body === "") return;
    if (editing !== null) void attempt(client.edit(conversationId, editing.seq, body));
    else client.send(conversationId, body, { replyToSeq: replyTo?.seq ?? null });
    typingOf(client).stop(conversationId);
    setText("");
    onCancel();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    // While a word is being composed, Enter and Up belong to it.
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && (editing !== null || replyTo !== null)) {
      event.preventDefault();
      cancel();
    } else if (event.key === "ArrowUp" && text === "") {
      event.preventDefault();
      onEditLast();
    }
  };

  return (
    <form className="troupe-composer" onSubmit={submit}>
      {(editing !== null || replyTo !== null) && (
        <div className="troupe-about" id={about}>
          {editing !== null ? texts.editing : <Replying to={replyTo!} />}
          <button type="button" aria-label={texts.cancel} onClick={cancel}>
            <Icon name="close" />
          </button>
        </div>
      )}
      <textarea
        ref={field}
        rows={1}
        dir="auto"
        value={text}
        aria-label={texts.writeTo(title)}
        aria-describedby={editing !== null || replyTo !== null ? about : undefined}
        placeholder={texts.message}
        onChange={(event) => {
          setText(event.target.value);
          if (event.target.value !== "") typingOf(client).touch(conversationId);
        }}
        onKeyDown={onKeyDown}
      />
      <button type="submit" aria-label={texts.send} disabled={typedText(text) === ""}>
        <Icon name="send" />
      </button>
    </form>
  );
}

function Replying({ to }: { to: Message }): ReactElement {
  const { texts } = useShared();
  const [name = texts.someone] = useNames(to.sender_id === null ? [] : [to.sender_id]);
  const isOwn = useMe()?.id === to.sender_id;
  return (
    <span className="troupe-replying">
      {texts.replyingTo(isOwn ? texts.you : name)} <q dir="auto">{to.body}</q>
    </span>
  );
}
