/** What the page's dialogs share, and the smallest of them: a question before something is lost. */
import { type ReactElement, type ReactNode, useEffect, useId, useRef } from "react";
import { IconButton } from "./buttons.tsx";
import { Sign } from "./icons.tsx";

export interface DialogProps {
  title: string;
  className?: string;
  /** Without the heading's line and its button. */
  isBare?: boolean;
  onClose(): void;
  children: ReactNode;
}

/** Escape and a press beside it close it. */
export function Dialog(props: DialogProps): ReactElement {
  const { title, className = "", isBare = false, onClose, children } = props;
  const node = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = node.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={node}
      className="dialog"
      aria-labelledby={id}
      onClose={onClose}
      onPointerDown={(event) => {
        if (event.target === event.currentTarget) onClose();
      }}
    >
      <div className={`dialog-body ${className}`}>
        {isBare ? (
          <h2 id={id}>{title}</h2>
        ) : (
          <header>
            <h2 id={id}>{title}</h2>
            <IconButton label="Close" onClick={onClose}>
              <Sign name="close" />
            </IconButton>
          </header>
        )}
        {children}
      </div>
    </dialog>
  );
}

export interface QuestionProps {
  question: string;
  action: string;
  onConfirmed(): void;
  onClose(): void;
}

export function Question({ question, action, onConfirmed, onClose }: QuestionProps): ReactElement {
  return (
    <Dialog title={question} isBare onClose={onClose}>
      <div className="dialog-buttons">
        <button type="button" className="button-quiet" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          className="button-danger"
          onClick={() => {
            onClose();
            onConfirmed();
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}
