/** How a worker is named in views and frames. */
export interface WorkerRef {
  /**
   * The id of one incarnation of a worker; a restart gets a new one. At most 64 latin1 characters.
   */
  incarnation: string;
  /** The worker's slot, the same after a restart: "<host>/<n>". */
  slot: string;
}

/**
 * The host of an incarnation. Incarnation ids and slots begin with it: "<host>.…", "<host>/<n>".
 */
export function hostOfIncarnation(incarnation: string): string {
  const end = incarnation.indexOf(".");
  return end < 0 ? incarnation : incarnation.slice(0, end);
}

export function hostOfSlot(slot: string): string {
  const end = slot.lastIndexOf("/");
  return end < 0 ? slot : slot.slice(0, end);
}
