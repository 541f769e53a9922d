/**
 * Configuration of what leaves Troupe: jobs, the event log, webhooks, and the hook that is asked
 * before a commit. Part of CONFIG_KEYS in keys.ts.
 */
import type { AddressRule } from "../base/networks.ts";
import { HOOK_TYPES, type HookType } from "../protocol/hooks.ts";
import type { ConfigKey, Read } from "./key.ts";
import { addressRules, integer, oneOf, onOff, right, url } from "./readers.ts";

export type EventsMode = "auto" | "on" | "off";
export type OnHookFailure = "refuse" | "allow";

/** What the configuration of events is read into. */
export interface EventsConfig {
  /** False: this host runs no jobs. */
  jobs: boolean;
  events: EventsMode;
  eventsRetentionDays: number;
  /** How long a message is unread before the event message.unread. */
  unreadAfterS: number;
  /** Private hosts and networks that webhooks may lead to. */
  webhookAllowPrivate: AddressRule[];
  /** Null: nobody is asked before a commit. */
  hookUrl: string | null;
  hookSecret: string | null;
  hookEvents: HookType[];
  hookTimeoutMs: number;
  hookOnFailure: OnHookFailure;
}

function hookTypes(text: string): Read<HookType[]> {
  const names = text.split(",").map((one) => one.trim());
  const unknown = names.find((name) => !(HOOK_TYPES as readonly string[]).includes(name));
  if (unknown !== undefined) return { ok: false, found: `"${unknown}"` };
  return right([...new Set(names)] as HookType[]);
}

/** Standard Webhooks: a secret of 24 to 64 bytes in base64 after `whsec_`. */
export const HOOK_SECRET_BYTES_MIN = 16;

export const EVENT_KEYS = {
  jobs: {
    name: "JOBS",
    meaning: "whether this host runs jobs: webhooks and other work off the hot path",
    unit: "",
    default: "on",
    wants: "on or off",
    read: onOff,
  },
  events: {
    name: "EVENTS",
    meaning:
      "the event log: auto keeps it while there is a webhook or somebody pulls, on always, off never",
    unit: "",
    default: "auto",
    wants: "auto, on or off",
    read: oneOf("auto", "on", "off"),
  },
  eventsRetentionDays: {
    name: "EVENTS_RETENTION_DAYS",
    meaning: "how long events are kept, and how long after the last pull the log goes on",
    unit: "days",
    default: "7",
    wants: "a whole number from 1 to 365",
    tooSmall: "a reader that was away for longer has to begin anew",
    tooLarge: "the table grows: each message is in it once more",
    read: integer(1, 365),
  },
  unreadAfterS: {
    name: "UNREAD_AFTER_S",
    meaning:
      "how long a message is unread before the event message.unread, from which e-mails are made",
    unit: "seconds",
    default: "900",
    wants: "a whole number from 1 to 86400",
    tooSmall: "readers who are just about to come get an e-mail",
    tooLarge: "e-mails come when nobody waits for them any more",
    read: integer(1, 86_400),
  },
  webhookAllowPrivate: {
    name: "WEBHOOK_ALLOW_PRIVATE",
    meaning:
      "private hosts and networks that webhooks and requests of actors may lead to, also without TLS",
    unit: "",
    default: "",
    wants: "a comma list of host names, addresses and networks such as hooks.internal,10.0.0.0/8",
    tooLarge: "whoever makes webhooks can reach services that are meant to be private",
    read: addressRules,
  },
  hookUrl: {
    name: "HOOK_URL",
    meaning: "address that is asked before a commit",
    unit: "",
    default: "",
    wants: "a URL like https://app.example.com/troupe-hook",
    read: url("https:", "http:"),
  },
  hookSecret: {
    name: "HOOK_SECRET",
    meaning:
      "secret that signs what HOOK_URL, PUSH_URL and FILE_HOOK_URL are sent, as webhooks are signed",
    unit: "bytes",
    default: "",
    wants: `at least ${HOOK_SECRET_BYTES_MIN} bytes, or whsec_ and base64`,
    tooSmall: "somebody else can guess it and call in Troupe's name",
    secret: true,
    read: (text: string): Read<string> => {
      const bytes = Buffer.byteLength(text);
      return bytes >= HOOK_SECRET_BYTES_MIN ? right(text) : { ok: false, found: `${bytes} bytes` };
    },
  },
  hookEvents: {
    name: "HOOK_EVENTS",
    meaning: "what HOOK_URL is asked about",
    unit: "",
    default: "message.send,message.edit",
    wants: `a comma list of ${HOOK_TYPES.join(", ")}`,
    read: hookTypes,
  },
  hookTimeoutMs: {
    name: "HOOK_TIMEOUT_MS",
    meaning: "how long the answer of HOOK_URL is waited for",
    unit: "milliseconds",
    default: "1500",
    wants: "a whole number from 50 to 5000",
    tooSmall: "a busy hook counts as one that failed",
    tooLarge: "while the hook hangs, what it is asked about waits for that long",
    read: integer(50, 5_000),
  },
  hookOnFailure: {
    name: "HOOK_ON_FAILURE",
    meaning: "what happens when HOOK_URL does not answer",
    unit: "",
    default: "refuse",
    wants: "refuse or allow",
    read: oneOf("refuse", "allow"),
  },
} as const satisfies Record<string, ConfigKey<unknown>>;
