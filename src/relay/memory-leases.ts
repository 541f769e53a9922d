/**
 * The leases of one cluster in memory: what the script in lease-script.ts does, the slow way, on a
 * test's clock. One contract suite tests both.
 */
import { later, type Monotonic, msBetween } from "../protocol/time.ts";
import {
  digestOf,
  LEASE_MS,
  type LeaseAnswer,
  type LeaseRequest,
  LOOK_MS,
  LOOK_PAUSE_MS,
  type Verdict,
  WITNESS_MS,
} from "./lease.ts";

interface Member {
  endsAtMs: Monotonic;
  members: string;
}
interface Look {
  noticedAtMs: Monotonic;
  claim: { untilMs: Monotonic; by: string } | null;
}
interface Away {
  lookAtMs: Monotonic;
  answeredSinceMs: Monotonic;
  answeredAtMs: Monotonic;
  by: string;
  members: string;
}

export class MemoryLeases {
  readonly #hosts = new Map<string, Member>();
  readonly #looks = new Map<string, Look>();
  readonly #away = new Map<string, Away>();
  #number = 0;
  #digest = "";

  renew(request: LeaseRequest, nowMs: Monotonic): LeaseAnswer {
    const { host, members, number, digest, mayLook, verdicts } = request;
    const wasOut = !this.#hosts.has(host);
    this.#end(host);
    if (members !== "") this.#hosts.set(host, { endsAtMs: later(nowMs, LEASE_MS), members });
    for (const verdict of verdicts) this.#judge(host, verdict, nowMs);
    if ([...this.#hosts.values()].some(isOfEarlierVersion)) this.#away.clear();
    const claimed: string[] = [];
    let nextMs = LEASE_MS;
    for (const [id, { endsAtMs }] of [...this.#hosts]) {
      if (endsAtMs >= nowMs) {
        if (id !== host) nextMs = Math.min(nextMs, msBetween(nowMs, endsAtMs));
      } else {
        nextMs = Math.min(nextMs, this.#lapsed(id, host, mayLook, nowMs, claimed));
      }
    }
    for (const [id, it] of this.#away) {
      if (!mayLook || it.lookAtMs >= nowMs) continue;
      it.lookAtMs = later(nowMs, WITNESS_MS);
      it.by = host;
      claimed.push(id);
    }
    return { ...this.#numbered(number, digest), wasOut, claimed, nextMs };
  }

  /** How long until something has to be decided about a host whose lease has ended. */
  #lapsed(id: string, by: string, mayLook: boolean, nowMs: Monotonic, claimed: string[]): number {
    const look = this.#looks.get(id) ?? { noticedAtMs: nowMs, claim: null };
    this.#looks.set(id, look);
    const isFree = look.claim === null || look.claim.untilMs < nowMs;
    const dueAtMs = later(look.noticedAtMs, WITNESS_MS);
    if (isFree && mayLook) {
      look.claim = { untilMs: later(nowMs, WITNESS_MS), by };
      claimed.push(id);
    } else if (isFree && nowMs >= dueAtMs) {
      this.#end(id);
      return LEASE_MS;
    }
    const claimedUntilMs = look.claim?.untilMs ?? nowMs;
    return Math.max(msBetween(nowMs, claimedUntilMs), msBetween(nowMs, dueAtMs));
  }

  #judge(by: string, verdict: Verdict, nowMs: Monotonic): void {
    const { host, is } = verdict;
    const look = this.#looks.get(host);
    const away = this.#away.get(host);
    const first = { lookAtMs: later(nowMs, LOOK_MS), answeredSinceMs: nowMs, answeredAtMs: nowMs };
    if (look?.claim?.by === by && look.claim.untilMs >= nowMs) {
      const members = this.#hosts.get(host)?.members ?? "";
      if (is === "unknown") look.claim = null;
      else this.#end(host);
      if (is === "signs") this.#away.set(host, { ...first, by: "", members });
    } else if (away?.by === by && away.lookAtMs >= nowMs) {
      away.by = "";
      away.lookAtMs = nowMs;
      if (is !== "unknown") {
        if (msBetween(away.answeredAtMs, nowMs) > LOOK_PAUSE_MS) away.answeredSinceMs = nowMs;
        away.answeredAtMs = nowMs;
        away.lookAtMs = first.lookAtMs;
      }
      const isSilent = is === "silent" && msBetween(away.answeredSinceMs, nowMs) >= LEASE_MS;
      if (is === "gone" || isSilent) this.#end(host);
    } else if (verdict.is === "vouched" && away === undefined && !this.#hosts.has(host)) {
      this.#away.set(host, { ...first, by: "", members: verdict.sealed });
    }
  }

  #end(host: string): void {
    this.#hosts.delete(host);
    this.#looks.delete(host);
    this.#away.delete(host);
  }

  #numbered(
    number: number,
    digest: string,
  ): Pick<LeaseAnswer, "number" | "change" | "digest" | "isNew"> {
    const members = sorted(this.#hosts);
    const away = sorted(this.#away);
    const nowDigest = digestOf(members, away);
    const isNew =
      nowDigest !== this.#digest ||
      this.#number < number ||
      (this.#number === number && this.#digest !== digest);
    if (isNew) {
      this.#number = Math.max(this.#number, number) + 1;
      this.#digest = nowDigest;
    }
    const change = { is: "all", members, away } as const;
    return { number: this.#number, change, digest: nowDigest, isNew };
  }
}

/** As in the script. A host that has just started says nothing of its version yet. */
function isOfEarlierVersion({ members }: Member): boolean {
  return !members.includes('"placement":') && !members.includes('"workers":[],"draining":[]');
}

function sorted(entries: ReadonlyMap<string, { members: string }>): Map<string, string> {
  const all = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(all.map(([id, { members }]) => [id, members]));
}
