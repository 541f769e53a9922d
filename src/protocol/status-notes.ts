/** The note of `user_status` and `privacy_changed` between actors and edges. */
export interface StatusNote {
  /** The status is published again by an actor that has moved. */
  isRestated?: boolean;
  /** The user hides presence or the time last seen from somebody. */
  isReserved?: boolean;
  /** The same before the change; of `privacy_changed`. */
  wasReserved?: boolean;
}

const WORDS: readonly [keyof StatusNote, string][] = [
  ["isRestated", "restated"],
  ["isReserved", "reserved"],
  ["wasReserved", "was_reserved"],
];

export const statusNote = (note: StatusNote): string =>
  WORDS.filter(([key]) => note[key] === true)
    .map(([, word]) => word)
    .join(" ");

export function statusNoteOf(text: string): Required<StatusNote> {
  const words = new Set(text === "" ? [] : text.split(" "));
  return {
    isRestated: words.has("restated"),
    isReserved: words.has("reserved"),
    wasReserved: words.has("was_reserved"),
  };
}
