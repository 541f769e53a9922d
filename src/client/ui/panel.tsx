/** What stands beside a conversation, or above it where it is narrow: a thread, pins, members. */
import { type KeyboardEvent, type ReactElement, type ReactNode, useEffect, useRef } from "react";
import { useShared } from "./frame.tsx";
import { Icon } from "./icons.tsx";

export interface PanelProps {
  title: string;
  className?: string;
  /** What stands before the button that closes it. */
  actions?: ReactNode;
  onClose: (() => void) | undefined;
  children?: ReactNode;
}

/** Escape closes it, and the focus goes back to where it was. */
export function Panel({ title, className, actions, onClose, children }: PanelProps): ReactElement {
  const { texts } = useShared();
  const node = useRef<HTMLElement>(null);
  useEffect(() => {
    const root = node.current?.getRootNode() as Document | ShadowRoot | undefined;
    const before = root?.activeElement as HTMLElement | null | undefined;
    if (!node.current?.contains(before ?? null)) {
      node.current?.querySelector<HTMLElement>("textarea, header button:last-child")?.focus();
    }
    return () => {
      if (before?.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.defaultPrevented || onClose === undefined) return;
    event.preventDefault();
    onClose();
  };
  return (
    <aside
      ref={node}
      className={`troupe-panel ${className ?? ""}`}
      aria-label={title}
      onKeyDown={onKeyDown}
    >
      <header className="troupe-header">
        <h2>{title}</h2>
        {actions}
        {onClose && (
          <button type="button" className="troupe-tool" aria-label={texts.close} onClick={onClose}>
            <Icon name="close" />
          </button>
        )}
      </header>
      {children}
    </aside>
  );
}
