/** Options of `troupe capacity`, read and checked. Called by capacity.ts. */
import { DEFAULT_PROFILE, GB, type GroupShare, type Profile } from "../../capacity/deployment.ts";
import type { HostKind } from "../../capacity/plan.ts";
import { type OptionsResult, parsedOptions, secondsOf } from "../options.ts";

export interface CapacityCommand {
  /** Null: as `from` says, or the default. */
  users: number | null;
  rate: number | null;
  groups: readonly GroupShare[];
  conversations: number;
  watched: number;
  onlineShare: number;
  host: HostKind;
  /** The address of a running Troupe's metrics, and for how long they are watched. */
  from: { url: string; forMs: number } | null;
  json: boolean;
}

const USERS_MAX = 1e9;
const RATE_MAX = 100;
const COUNT_MAX = 100_000;
const MEMBERS_MAX = 1_000_000;
const HOST = /^([1-9][0-9]{0,3})c,([1-9][0-9]{0,4})g$/;
const GROUP = /^(direct|[0-9]{1,7}):([0-9]{1,3}(?:\.[0-9]+)?)$/;
const HOST_DEFAULT = "16c,64g";
const WATCH_DEFAULT = "10s";
const WATCH_MAX_S = 3_600;

const text = { type: "string" } as const;

export function readCapacityOptions(args: string[]): OptionsResult<CapacityCommand> {
  const parsed = parsedOptions(args, {
    users: text,
    rate: text,
    groups: text,
    conversations: text,
    watch: text,
    online: text,
    host: text,
    "from-metrics": text,
    for: text,
    json: { type: "boolean" },
  });
  if (!parsed.ok) return parsed;
  const given = (name: string): string | null => {
    const value = parsed.options[name];
    return typeof value === "string" ? value : null;
  };
  /** Null where the option was not given; NaN where it is no number in the range. */
  const number = (name: string, least: number, most: number): number | null => {
    const value = given(name);
    if (value === null) return null;
    const count = value.trim() === "" ? Number.NaN : Number(value);
    return count >= least && count <= most ? count : Number.NaN;
  };

  const users = number("users", 1, USERS_MAX);
  if (Number.isNaN(users)) {
    return refused("--users should be how many are connected at once, like 2000000");
  }
  const rate = number("rate", 0.000001, RATE_MAX);
  if (Number.isNaN(rate)) {
    return refused("--rate should be the messages a second of one user, like 0.005");
  }
  const conversations = number("conversations", 1, COUNT_MAX) ?? DEFAULT_PROFILE.conversations;
  if (Number.isNaN(conversations)) {
    return refused("--conversations should be how many conversations a user has, like 30");
  }
  const watched = number("watch", 0, COUNT_MAX) ?? DEFAULT_PROFILE.watched;
  if (Number.isNaN(watched)) {
    return refused("--watch should be how many users' presence a session watches, like 50");
  }
  const online = number("online", 0.1, 100) ?? DEFAULT_PROFILE.onlineShare * 100;
  if (Number.isNaN(online)) {
    return refused("--online should be the percentage of members who are connected, like 40");
  }
  const groups = groupsOf(given("groups"));
  if (groups === null) {
    return refused(
      "--groups should say which part of the messages goes into conversations of which size, in percent, like direct:60,10:35,100:5",
    );
  }
  const host = hostOf(given("host") ?? HOST_DEFAULT);
  if (host === null) {
    return refused("--host should be the cores and the gigabytes of one host, like 16c,64g");
  }
  const url = given("from-metrics");
  if (url !== null && !isAddress(url)) {
    return refused(
      "--from-metrics should be the address of a running Troupe, like http://localhost:3000/metrics",
    );
  }
  const watchS = secondsOf(given("for") ?? WATCH_DEFAULT);
  if (!(watchS >= 1 && watchS <= WATCH_MAX_S)) {
    return refused("--for should be a time like 10s or 5m, at most 1h");
  }
  if (url === null && given("for") !== null) {
    return refused("--for says how long the metrics are watched, so it wants --from-metrics");
  }
  return {
    ok: true,
    options: {
      users: users === null ? null : Math.round(users),
      rate,
      groups,
      conversations,
      watched,
      onlineShare: online / 100,
      host,
      from: url === null ? null : { url: addressOf(url), forMs: watchS * 1_000 },
      json: parsed.options["json"] === true,
    },
  };
}

/** What the options say, over what was found in metrics, over the defaults. */
export function profileOf(options: CapacityCommand, found: Partial<Profile>): Profile {
  const { groups, conversations, watched, onlineShare } = options;
  const seen = { ...DEFAULT_PROFILE, ...found, groups, conversations, watched, onlineShare };
  return {
    ...seen,
    users: options.users ?? seen.users,
    messagesPerS: options.rate ?? seen.messagesPerS,
  };
}

function groupsOf(given: string | null): readonly GroupShare[] | null {
  if (given === null) return DEFAULT_PROFILE.groups;
  const groups: GroupShare[] = [];
  for (const word of given.split(",")) {
    const [, size = "", percent = ""] = GROUP.exec(word.trim()) ?? [];
    const members = size === "direct" ? 2 : Number(size);
    const share = Number(percent) / 100;
    if (size === "" || members < 2 || members > MEMBERS_MAX || !(share > 0)) return null;
    groups.push({ members, share });
  }
  const sum = groups.reduce((all, { share }) => all + share, 0);
  return Math.abs(sum - 1) > 0.02 ? null : groups;
}

function hostOf(given: string): HostKind | null {
  const [, cores, gigabytes] = HOST.exec(given) ?? [];
  if (cores === undefined || gigabytes === undefined) return null;
  return { cores: Number(cores), memoryBytes: Number(gigabytes) * GB };
}

function isAddress(given: string): boolean {
  return URL.canParse(given) && ["http:", "https:"].includes(new URL(given).protocol);
}

/** An address without a path is that of the server. */
function addressOf(given: string): string {
  const url = new URL(given);
  if (url.pathname === "/") url.pathname = "/metrics";
  return url.href;
}

const refused = (problem: string) => ({ ok: false as const, problem });
