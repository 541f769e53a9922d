/**
 * Where posts and comments are written: grows with its text, counts down near the limit, keeps
 * the text until the server has taken it, and says beside it when that failed.
 */
import {
  type FormEvent,
  type KeyboardEvent,
  type ReactElement,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { typedText } from "../../client/ui/words.ts";
import type { Result } from "../../protocol/errors.ts";
import { BODY_MAX, codePoints, isText } from "../../protocol/text.ts";

/** From here on the characters left are shown. */
const COUNT_FROM = BODY_MAX - 200;
const HEIGHT_MAX_PX = 240;

export interface WriteBoxProps {
  id: string;
  label: string;
  placeholder: string;
  action: string;
  /** Enter sends, and Shift+Enter breaks the line; otherwise Ctrl or Cmd with Enter sends. */
  isSentByEnter: boolean;
  send(body: string): Promise<Result<unknown>>;
}

export function WriteBox(props: WriteBoxProps): ReactElement {
  const { id, label, placeholder, action, isSentByEnter, send } = props;
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const input = useRef<HTMLTextAreaElement>(null);
  const body = typedText(text);
  const length = codePoints(text);

  // biome-ignore lint/correctness/useExhaustiveDependencies: as high as its text
  useLayoutEffect(() => {
    const node = input.current;
    if (node === null) return;
    node.style.height = "auto";
    if (node.scrollHeight > 0) {
      node.style.height = `${Math.min(node.scrollHeight + 2, HEIGHT_MAX_PX)}px`;
    }
  }, [text]);

  const submit = async (event?: FormEvent): Promise<void> => {
    event?.preventDefault();
    input.current?.focus();
    if (isBusy || !isText(body, BODY_MAX)) return;
    setBusy(true);
    setProblem("");
    const answer = await send(body);
    setBusy(false);
    if (answer.ok) setText("");
    else setProblem(answer.error.message);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    // While an input method composes, Enter chooses a word.
    if (event.key !== "Enter" || event.nativeEvent.isComposing) return;
    const isSend = isSentByEnter ? !event.shiftKey : event.ctrlKey || event.metaKey;
    if (!isSend) return;
    event.preventDefault();
    void submit();
  };

  return (
    <form className="write-box" noValidate onSubmit={(event) => void submit(event)}>
      <textarea
        ref={input}
        id={id}
        rows={1}
        dir="auto"
        value={text}
        placeholder={placeholder}
        aria-label={label}
        aria-describedby={`${id}-problem`}
        maxLength={BODY_MAX * 2}
        readOnly={isBusy}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="write-foot">
        <p className="inline-problem" id={`${id}-problem`} role="alert">
          {problem}
        </p>
        <span className={`count ${length > BODY_MAX ? "over" : ""}`} role="status">
          {length > COUNT_FROM ? BODY_MAX - length : ""}
        </span>
        <button
          type="submit"
          className="button-primary"
          disabled={isBusy || !isText(body, BODY_MAX)}
          // Keeps a phone's keyboard open: the button must not take the focus from the text.
          onPointerDown={(event) => event.preventDefault()}
        >
          {action}
        </button>
      </div>
    </form>
  );
}
