/**
 * The text of a composer, which is a draft of its conversation until it is sent: what is typed is kept
 * with the user's preferences, and what was typed on another device since takes its place.
 */
import { useCallback, useLayoutEffect, useRef, useState } from "react";
import { prefsOf } from "../prefs.ts";
import { useTroupe } from "../react.ts";

/** The text, a way to show another one that is no draft, and one to write the draft. */
export type DraftedText = [
  text: string,
  show: (text: string) => void,
  write: (text: string) => void,
];

/** `isEditing`: the text is that of a message, and the draft waits. */
export function useDraftedText(conversationId: string, isEditing: boolean): DraftedText {
  const own = prefsOf(useTroupe());
  const drafted = (): string => own.of(conversationId).get()?.draft?.body ?? "";
  const [text, show] = useState(drafted);
  /** The draft as this field has it: what differs from it comes from elsewhere. */
  const held = useRef(text);

  useLayoutEffect(() => {
    if (isEditing) return;
    show(held.current);
    const readable = own.of(conversationId);
    const look = (): void => {
      const draft = readable.get()?.draft?.body ?? "";
      if (draft === held.current) return;
      held.current = draft;
      show(draft);
    };
    look();
    return readable.subscribe(look);
  }, [own, conversationId, isEditing]);

  const write = useCallback(
    (next: string): void => {
      show(next);
      if (isEditing) return;
      held.current = next;
      own.draft(conversationId, next === "" ? null : { body: next });
    },
    [own, conversationId, isEditing],
  );
  return [text, show, write];
}
