/**
 * The membership view of this host: who owns actors, who still holds sessions. Told to all
 * workers at each change, ahead of any frame that is routed under it (same pipe, in order).
 * A worker that drains gives up its place at once, so that its actors move while it still
 * answers; when the whole host stops there is nowhere to move to, and places stay.
 */
import { NO_VIEW, type View, type WorkerRef } from "../runtime/view.ts";

export interface Member {
  ref: WorkerRef;
  phase: "online" | "draining";
}

export class Membership {
  readonly #announce: (view: View) => void;
  #view = NO_VIEW;

  constructor(announce: (view: View) => void) {
    this.#announce = announce;
  }

  get view(): View {
    return this.#view;
  }

  update(members: readonly Member[], hostStopping: boolean): void {
    const next = viewOf(members, hostStopping, this.#view.number + 1);
    if (sameMembers(next, this.#view)) return;
    this.#view = next;
    this.#announce(next);
  }
}

export function viewOf(members: readonly Member[], hostStopping: boolean, number: number): View {
  const isPlaced = (member: Member) => hostStopping || member.phase === "online";
  const placed = members.filter(isPlaced).map((member) => member.ref);
  const others = members.filter((member) => !isPlaced(member)).map((member) => member.ref.life);
  return {
    number,
    workers: placed
      .map(({ life, slot }) => ({ life, slot }))
      .sort((a, b) => compare(a.slot, b.slot) || compare(a.life, b.life)),
    draining: others.sort(compare),
  };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function sameMembers(a: View, b: View): boolean {
  return JSON.stringify({ ...a, number: 0 }) === JSON.stringify({ ...b, number: 0 });
}
