/**
 * A button that opens something above the page: in the browser's top layer, so that nothing clips
 * it, beside its button, until Escape, a press elsewhere, a scroll, or a choice.
 */
import {
  type KeyboardEvent,
  type ReactElement,
  type ReactNode,
  useCallback,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { Icon, type IconName } from "./icons.tsx";

const MARGIN_PX = 8;

export interface PopupProps {
  icon: IconName;
  /** The name of the button and of what it opens. */
  label: string;
  /** Stands beside the sign. */
  text?: string;
  className?: string;
  /** A menu's entries have the role `menuitem`, and arrows lead from one to the next. */
  isMenu?: boolean;
  /** What it shows; `close` ends it and gives the focus back. */
  children(close: () => void): ReactNode;
}

export function Popup(props: PopupProps): ReactElement {
  const { icon, label, text, className, isMenu, children } = props;
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = useCallback((): void => {
    setOpen(false);
    button.current?.focus();
  }, []);
  const dismiss = useCallback((): void => setOpen(false), []);
  return (
    <>
      <button
        ref={button}
        type="button"
        className={className}
        title={label}
        aria-label={label}
        aria-haspopup={isMenu ? "menu" : "true"}
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        <Icon name={icon} />
        {text}
      </button>
      {isOpen && (
        <Opened
          from={button}
          label={label}
          isMenu={isMenu === true}
          close={close}
          dismiss={dismiss}
        >
          {children(close)}
        </Opened>
      )}
    </>
  );
}

export interface OpenedProps {
  /** What it stands beside. */
  from: { current: HTMLElement | null };
  label: string;
  isMenu: boolean;
  close(): void;
  dismiss(): void;
  children: ReactNode;
}

export function Opened(props: OpenedProps): ReactElement {
  const { from: origin, label, isMenu, close, dismiss, children } = props;
  const box = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const node = box.current;
    const from = origin.current;
    if (node === null || from === null) return;
    // As an attribute: what React calls it differs between its versions.
    node.setAttribute("popover", "manual");
    node.showPopover?.();
    place(node, from.getBoundingClientRect());
    node.querySelector<HTMLElement>("button, input")?.focus({ preventScroll: true });
    const pressed = (event: Event): void => {
      const path = event.composedPath();
      if (!path.includes(node) && !path.includes(from)) dismiss();
    };
    const scrolled = (event: Event): void => {
      if (!event.composedPath().includes(node)) dismiss();
    };
    document.addEventListener("pointerdown", pressed, true);
    from.getRootNode().addEventListener("scroll", scrolled, true);
    window.addEventListener("resize", dismiss);
    return () => {
      document.removeEventListener("pointerdown", pressed, true);
      from.getRootNode().removeEventListener("scroll", scrolled, true);
      window.removeEventListener("resize", dismiss);
    };
  }, [origin, dismiss]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (/^(Arrow(Down|Up|Left|Right)|Home|End)$/.test(event.key)) {
      event.preventDefault();
      step(box.current, event.key);
    } else if (event.key === "Tab") dismiss();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it has one of two roles
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: which both have names
    <div
      ref={box}
      className="troupe-popup"
      role={isMenu ? "menu" : "group"}
      aria-label={label}
      onKeyDown={onKeyDown}
    >
      {children}
    </div>
  );
}

/** Below the button, or above it where there is no room; never out of sight. */
function place(node: HTMLElement, from: DOMRect): void {
  const { offsetWidth: width, offsetHeight: height } = node;
  const { innerWidth, innerHeight } = window;
  const isRtl = getComputedStyle(node).direction === "rtl";
  const isAbove = from.bottom + height + MARGIN_PX > innerHeight && from.top > height + MARGIN_PX;
  const left = isRtl ? from.left : from.right - width;
  const leftMax = Math.max(MARGIN_PX, innerWidth - width - MARGIN_PX);
  node.style.left = `${Math.min(Math.max(left, MARGIN_PX), leftMax)}px`;
  node.style.top = `${isAbove ? from.top - height - 4 : from.bottom + 4}px`;
}

function step(box: HTMLElement | null, key: string): void {
  const all = [...(box?.querySelectorAll<HTMLElement>("button") ?? [])];
  const root = box?.getRootNode() as Document | ShadowRoot | undefined;
  const at = all.indexOf(root?.activeElement as HTMLElement);
  const isRtl = box !== null && getComputedStyle(box).direction === "rtl";
  const isForward = key === "ArrowDown" || key === (isRtl ? "ArrowLeft" : "ArrowRight");
  const next = key === "Home" ? 0 : key === "End" ? -1 : isForward ? (at + 1) % all.length : at - 1;
  all.at(next)?.focus();
}

/** An entry of a menu. */
export function MenuItem(props: {
  icon: IconName;
  /** It cannot be taken back. */
  isDangerous?: boolean;
  onClick(): void;
  children: ReactNode;
}): ReactElement {
  return (
    <button
      type="button"
      role="menuitem"
      tabIndex={-1}
      data-danger={props.isDangerous || undefined}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
      {props.children}
    </button>
  );
}
