import type { Frame } from "../../runtime/frames.ts";
import type { Placement } from "../../runtime/view.ts";

/** Whether `event` was published by a worker that does not own the actor, under no newer view. */
export function isOutdated(event: Frame, actor: string, placement: Placement): boolean {
  return event.view <= placement.view.number && placement.ownerOf(actor) !== event.from;
}
