/**
 * Where one writes: Enter sends, Shift+Enter breaks the line, Up edits, Escape takes back, `@`
 * completes names, and files are chosen, dropped or pasted.
 */
import {
  type ChangeEvent,
  type ClipboardEvent,
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
import { useConversation, useMe, useTroupe } from "../react.ts";
import { typingOf } from "../typing.ts";
import type { ConversationView } from "../views.ts";
import { useDraftedText } from "./drafted-text.ts";
import { useShared } from "./frame.tsx";
import { Icon } from "./icons.tsx";
import { useMay } from "./may.ts";
import { useCompletion } from "./mentions.tsx";
import type { ComposerProps } from "./parts.ts";
import { useNames } from "./titles.tsx";
import { UploadList } from "./upload-list.tsx";
import { useUploads } from "./uploads.ts";
import { gistOf, typedText } from "./words.ts";

export function Composer(props: ComposerProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Composer ?? OwnComposer;
  return <Part {...props} />;
}

function OwnComposer(props: ComposerProps): ReactElement | null {
  const { texts } = useShared();
  const view = useConversation(props.conversationId);
  if (view === null) return null;
  return <Field key={view.id} {...props} view={view} texts={texts} />;
}

type FieldProps = ComposerProps & {
  view: ConversationView;
  texts: ReturnType<typeof useShared>["texts"];
};

function Field(props: FieldProps): ReactElement {
  const { view, texts, conversationId, title, replyTo, editing, onCancel, onEditLast } = props;
  const client = useTroupe();
  const may = useMay(view);
  const isEditing = editing !== null;
  const [text, setText, write] = useDraftedText(view.id, isEditing);
  const field = useRef<HTMLTextAreaElement>(null);
  /** Where the caret goes once the text is there. */
  const caret = useRef<number | null>(null);
  const about = useId();
  const [problem, setProblem] = useState("");
  const uploads = useUploads();
  const mentioned = view.conversation.parent?.conversation_id ?? conversationId;
  const completion = useCompletion(mentioned, may.mentionAll, (username, from, to) => {
    caret.current = from + username.length + 2;
    write(`${text.slice(0, from)}@${username} ${text.slice(to)}`);
  });

  // Before the next key is pressed.
  useLayoutEffect(() => {
    if (editing !== null) setText(editing.body);
    if (editing !== null || replyTo !== null) field.current?.focus();
  }, [editing, replyTo, setText]);
  const { isFirstFocused = false, dropped } = props;
  useLayoutEffect(() => {
    if (isFirstFocused) field.current?.focus();
  }, [isFirstFocused]);
  const { add } = uploads;
  useEffect(() => {
    if (dropped !== undefined && may.attach) add(dropped);
  }, [dropped, add, may.attach]);

  // As high as its text; once more when everything around it is styled.
  useEffect(() => fit(field.current), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever it is another one
  useLayoutEffect(() => {
    const node = field.current;
    if (node === null) return;
    fit(node);
    if (caret.current === null) return;
    node.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  }, [text]);

  const cancel = onCancel;

  const body = typedText(text);
  const files = editing === null ? uploads.items : [];
  const isSendable =
    editing === null
      ? uploads.isReady && (body !== "" || files.length > 0)
      : body !== "" || editing.attachments !== undefined;

  const submit = (event?: FormEvent): void => {
    event?.preventDefault();
    if (!isSendable) return;
    if (editing !== null) {
      const { seq } = editing;
      void attempt(client.edit(conversationId, seq, body)).then((isDone) => {
        if (!isDone) setProblem(texts.notChanged);
      });
    } else {
      const attachments = files.flatMap(({ file }) =>
        file === null ? [] : [{ file_id: file.id }],
      );
      client.send(conversationId, body, {
        replyToSeq: replyTo?.seq ?? null,
        ...(attachments.length > 0 && { attachments }),
      });
      uploads.clear();
      write("");
    }
    setProblem("");
    typingOf(client).stop(conversationId);
    onCancel();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    // While a word is being composed, Enter and Up belong to it.
    if (event.nativeEvent.isComposing || completion.onKeyDown(event)) return;
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

  const onPaste = (event: ClipboardEvent): void => {
    const { files: pasted } = event.clipboardData;
    if (pasted.length === 0 || !may.attach) return;
    event.preventDefault();
    uploads.add([...pasted]);
  };

  const choose = (event: ChangeEvent<HTMLInputElement>): void => {
    uploads.add([...(event.target.files ?? [])]);
    // The same file may be chosen again.
    event.target.value = "";
  };

  if (!may.send) return <p className="troupe-composer troupe-frozen">{texts.frozen}</p>;
  const isAbout = editing !== null || replyTo !== null;
  return (
    <form className="troupe-composer" onSubmit={submit}>
      {isAbout && (
        <div className="troupe-about" id={about}>
          {editing !== null ? texts.editing : <Replying to={replyTo!} />}
          <button type="button" aria-label={texts.cancel} onClick={cancel}>
            <Icon name="close" />
          </button>
        </div>
      )}
      {editing === null && <UploadList uploads={uploads} />}
      {completion.list}
      {problem !== "" && (
        <p className="troupe-problem" role="alert">
          {problem}
        </p>
      )}
      {may.attach && editing === null && <Attach onChange={choose} label={texts.attach} />}
      <textarea
        ref={field}
        rows={1}
        dir="auto"
        value={text}
        aria-label={texts.writeTo(title)}
        aria-describedby={isAbout ? about : undefined}
        {...completion.field}
        placeholder={texts.message}
        onChange={(event) => {
          write(event.target.value);
          if (event.target.value !== "") typingOf(client).touch(conversationId);
        }}
        onSelect={({ currentTarget: { value, selectionStart, selectionEnd } }) =>
          completion.look(value, selectionStart === selectionEnd ? selectionStart : 0)
        }
        onBlur={() => completion.look("", 0)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
      />
      <button type="submit" aria-label={texts.send} disabled={!isSendable}>
        <Icon name="send" />
      </button>
    </form>
  );
}

function fit(node: HTMLTextAreaElement | null): void {
  if (node === null) return;
  node.style.height = "auto";
  node.style.height = `${node.scrollHeight}px`;
}

interface AttachProps {
  label: string;
  onChange(event: ChangeEvent<HTMLInputElement>): void;
}

function Attach({ label, onChange }: AttachProps): ReactElement {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input ref={input} type="file" multiple hidden aria-label={label} onChange={onChange} />
      <button
        type="button"
        className="troupe-attach"
        title={label}
        aria-label={label}
        onClick={() => input.current?.click()}
      >
        <Icon name="attach" />
      </button>
    </>
  );
}

function Replying({ to }: { to: Message }): ReactElement {
  const { texts } = useShared();
  const [name = texts.someone] = useNames(to.sender_id === null ? [] : [to.sender_id]);
  const isOwn = useMe()?.id === to.sender_id;
  return (
    <span className="troupe-replying">
      {texts.replyingTo(isOwn ? texts.you : name)} <q dir="auto">{gistOf(to, texts)}</q>
    </span>
  );
}
