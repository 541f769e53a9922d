/** A finger that rests on something for a moment, as a press of the other button is with a mouse. */
import { type MouseEvent, type PointerEvent, useEffect, useRef } from "react";

const REST_MS = 450;
/** A finger that moves farther scrolls. */
const STRAY_PX = 10;
/** What the browser itself does something with. */
const TAKEN = "button, audio, video, .troupe-body a";

export interface PressHandlers {
  onPointerDown(event: PointerEvent): void;
  onPointerMove(event: PointerEvent): void;
  onPointerUp(): void;
  onPointerCancel(): void;
  onContextMenu(event: MouseEvent): void;
  onClickCapture(event: MouseEvent): void;
}

export function useLongPress(onPress: () => void): PressHandlers {
  const press = useRef<{ x: number; y: number; timer: ReturnType<typeof setTimeout> } | null>(null);
  /** The touch that goes on may be one: the browser's own menu would lie over what it opens. */
  const isTouch = useRef(false);
  /** It was one: the click at its end is none. */
  const isDone = useRef(false);
  const end = (): void => {
    clearTimeout(press.current?.timer);
    press.current = null;
  };
  useEffect(() => () => clearTimeout(press.current?.timer), []);
  return {
    onPointerDown({ pointerType, target, clientX, clientY }) {
      end();
      isDone.current = false;
      isTouch.current = pointerType === "touch" && (target as Element).closest(TAKEN) === null;
      if (!isTouch.current) return;
      const timer = setTimeout(() => {
        end();
        isDone.current = true;
        onPress();
      }, REST_MS);
      press.current = { x: clientX, y: clientY, timer };
    },
    onPointerMove({ clientX, clientY }) {
      const from = press.current;
      if (from !== null && Math.hypot(clientX - from.x, clientY - from.y) > STRAY_PX) end();
    },
    onPointerUp: end,
    onPointerCancel: end,
    onContextMenu(event) {
      if (isTouch.current) event.preventDefault();
    },
    onClickCapture(event) {
      if (!isDone.current) return;
      isDone.current = false;
      event.preventDefault();
      event.stopPropagation();
    },
  };
}
