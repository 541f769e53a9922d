/**
 * Reports members under this cluster's key that do not belong to it, in words and once each. Every
 * renewal of the lease checks for them. [LSE2]
 */
import type { Log } from "../base/log.ts";
import { EARLIER_KEY, type ForeignReason } from "./lease.ts";

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
      this.#log.warn({ event: "foreign_member", host, reason, why: sentence(host, reason) });
    }
    this.#known = foreign;
    const copies = [...foreign].filter(([, reason]) => reason === "other_database");
    const [first] = copies;
    return first === undefined ? null : sentence(first[0], "other_database");
  }
}

/** What an operator sees and can do about it: one sentence in the log, two lines in `doctor`. */
interface Trouble {
  found(host: string): string;
  advice: string;
}

export const TROUBLES: Record<ForeignReason, Trouble> = {
  signature: {
    found: (host) =>
      `Host ${host} of this cluster signs with another secret, so the two do not hear each other`,
    advice: "set the same JWT_SECRET on every host",
  },
  malformed: {
    found: (host) =>
      `What host ${host} of this cluster says of itself cannot be read, so the two do not hear each other`,
    advice: "run the same version on every host",
  },
  other_database: {
    found: (host) =>
      `Host ${host} has this cluster's id and another database, of which one is a copy of the other`,
    advice:
      "stop that host, or give the copy an id of its own with " +
      "UPDATE cluster_identity SET id = DEFAULT, secret = DEFAULT",
  },
};

function sentence(host: string, reason: ForeignReason): string {
  const { found, advice } = TROUBLES[reason];
  return `${found(host)}: ${advice}.`;
}

/** [RLY11] */
export const EARLIER_VERSION = {
  found: `The key ${EARLIER_KEY} was made by hosts of version 0.1, and its hosts exchange nothing with this version`,
  advice: `stop those hosts; if none runs, delete the key with DEL ${EARLIER_KEY}`,
};
