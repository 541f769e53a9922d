/** A placement over some workers, for tests. */
import { PLACEMENT, Placement, type View } from "../../src/runtime/view.ts";

export function viewOf(number: number, incarnations: string[]): Placement {
  const workers = incarnations.map((incarnation) => ({ incarnation, slot: incarnation }));
  return new Placement({
    number,
    workers,
    draining: [],
    away: [],
    placement: PLACEMENT,
  } satisfies View);
}
