/**
 * Reports members under this cluster's key that do not belong to it, in words and once each. Every
 * renewal of the lease checks for them. [LSE2]
 */
import type { Log } from "../base/log.ts";
import type { ForeignReason } from "./lease.ts";

export class ForeignMembers {
  readonly #log: Pick<Log, "warn">;
  #known = new Map<string, ForeignReason>();

  constructor(log: Pick<Log, "warn">) {
    this.#log = log;
  }

  /** Why a host that is starting must not join; null when it may. */
  look(foreign: Map<string, ForeignReason>): string | null {
    for (const [host, reason] of foreign) {
      if (this.#known.get(host) === reason) continue;
      this.#log.warn({ event: "foreign_member", host, reason, why: SENTENCES[reason](host) });
    }
    this.#known = foreign;
    const copies = [...foreign].filter(([, reason]) => reason === "other_database");
    const [first] = copies;
    return first === undefined ? null : SENTENCES.other_database(first[0]);
  }
}

/** For operators, also in `troupe doctor`. */
export const SENTENCES: Record<ForeignReason, (host: string) => string> = {
  signature: (host) =>
    `Host ${host} of this cluster signs with another secret, so the two do not hear each other: ` +
    "set the same JWT_SECRET on every host.",
  malformed: (host) =>
    `What host ${host} of this cluster says of itself cannot be read, so the two do not hear each other: ` +
    "run the same version on every host.",
  other_database: (host) =>
    `Host ${host} has this cluster's id and another database, of which one is a copy of the other. ` +
    "Stop that host, or give the copy an id of its own: " +
    "UPDATE cluster_identity SET id = DEFAULT, secret = DEFAULT.",
};
