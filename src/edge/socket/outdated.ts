import type { Frame } from "../../runtime/frames.ts";
import type { Placement } from "../../runtime/view.ts";

/** Whether `event` was published under an older view by a worker that owns the actor no more. */
export function isOutdated(event: Frame, actor: string, placement: Placement): boolean {
  return event.view < placement.view.number && placement.ownerOf(actor) !== event.from;
}
