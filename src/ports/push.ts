/**
 * Devices, the settings of pushes, and what is kept of pushes until they are sent. Implemented in
 * src/storage/postgres/devices.ts and pushes.ts. Types only; promises reject only when storage is
 * out of reach.
 */
import type { VapidKeys } from "../config/push-keys.ts";
import type { ConversationId, FamilyId, UserId } from "../protocol/ids.ts";
import type {
  Device,
  DeviceAsked,
  Provider,
  PushContent,
  PushDecision,
  PushKind,
  PushLevel,
  PushPatch,
  PushReason,
  PushSettings,
  QuietHours,
} from "../protocol/push.ts";

/** Where a device is reached. */
export interface DeviceAddress {
  provider: Provider;
  /** The endpoint of a subscription, or the token. */
  address: string;
  keys: { p256dh: string; auth: string } | null;
}

export interface DeviceStore {
  /** The deployment's pair of keys; the one that was stored first stays. */
  vapidKeys(make: () => VapidKeys): Promise<VapidKeys>;
  /** Resolves when every host feeds pushes. */
  put(
    user: UserId,
    id: string,
    family: FamilyId | null,
    device: DeviceAddress & Pick<DeviceAsked, "locale" | "tz">,
  ): Promise<Device | "too_many" | "ended">;
  list(user: UserId): Promise<Device[]>;
  /** False: there is none. */
  remove(user: UserId, id: string): Promise<boolean>;
  /** `content`: what the deployment has where the user has not chosen. Null changes nothing. */
  settings(user: UserId, patch: PushPatch | null, content: PushContent): Promise<PushSettings>;
  /** The newest first; null: there is no such user. */
  decisions(user: UserId): Promise<PushDecision[] | null>;
}

/** What may be pushed to a user: messages of a conversation, or a notification. */
export interface PushSubject {
  userId: UserId;
  /** Null: a notification. */
  conversationId: ConversationId | null;
  notificationId: string | null;
  /** The first and the last message. */
  firstSeq: number;
  seq: number;
}

export interface FoundMessage {
  seq: number;
  body: string;
  /** Null: the user is gone. */
  sender: string | null;
  files: number;
}

/** What decides about a push, as storage has it now; see the SQL function push_facts. */
export interface PushFacts {
  level: PushLevel | null;
  snoozed: boolean;
  quiet_hours: QuietHours | null;
  content: PushContent | null;
  suspended: boolean;
  conversation: {
    kind: string;
    title: string | null;
    deleted: boolean;
    member: boolean;
    muted: boolean;
    level: PushLevel | null;
    read_seq: number;
    /** Where the first message has been read: how long ago the first one came that has not. */
    unread_ms: number | null;
    count: number;
    last: { deleted: boolean; mention: boolean; blocked: boolean } | null;
    newest: FoundMessage | null;
  } | null;
  notification: {
    there: boolean;
    type: string | null;
    message: string | null;
    post_id: string | null;
    actor_id: string | null;
    read: boolean;
    blocked: boolean;
  } | null;
}

/** What happened since, and for whom it may be pushed. */
export interface PushFeed {
  /** The rows that were looked at. */
  ids: string[];
  fresh: (PushSubject & { at: string })[];
  /** What was read of what devices show. */
  reads: { userId: UserId; conversationId: ConversationId }[];
}

export interface PendingPush extends PushSubject {
  /** Milliseconds since the first of it. */
  ageMs: number;
  isHeld: boolean;
}

export interface NotedDecision {
  subject: PushSubject;
  kind: PushKind;
  deviceId: string | null;
  reason: PushReason;
  detail?: string;
}

export interface SettledPushes {
  /** They go to all of the user's devices. */
  sent: PushSubject[];
  dropped: PushSubject[];
  later: { subject: PushSubject; isHeld: boolean; inMs: number }[];
  decisions: NotedDecision[];
}

/** A push for one device, which this host sends now. */
export interface ClaimedPush extends DeviceAddress {
  kind: PushKind;
  subject: PushSubject;
  /** The number of the device. */
  device: string;
  deviceId: string;
  locale: string | null;
  tz: string | null;
  /** How often it was begun to send, this time included. */
  attempts: number;
  ageMs: number;
}

export type PushEnd =
  | { is: "sent" }
  | { is: "dropped" }
  | { is: "gone" }
  | { is: "failed"; retryInMs: number }
  /** It was not begun: the provider has no room now. */
  | { is: "later"; retryInMs: number };

export interface PushCounts {
  /** Not decided yet. */
  waiting: number;
  /** For a device, and not delivered yet. */
  sending: number;
  /** How long the oldest of those that are due waits. */
  oldest_ms: number;
}

/**
 * Pushes of one lane come to one host in any case: that of a browser's endpoint, or that of another
 * provider. claim_push_sends.sql computes the same.
 */
export const laneOf = ({ provider, address }: Pick<DeviceAddress, "provider" | "address">) =>
  provider === "webpush" ? (address.split("/")[2] ?? "") : provider;

/** Pushes on their way; one job over all hosts works on it. */
export interface PushQueue {
  /** Whether there is a device; makes sure that pushes are fed where there is one, and only there. */
  keepFeed(): Promise<boolean>;
  feed(most: number): Promise<PushFeed>;
  /** Rejects where another host has done it. */
  settleFeed(feed: PushFeed): Promise<void>;
  due(most: number): Promise<PendingPush[]>;
  /** In the order of the subjects. */
  facts(subjects: readonly PushSubject[]): Promise<PushFacts[]>;
  settle(settled: SettledPushes): Promise<void>;
  /** Unread messages of all of the user's conversations. */
  badge(user: UserId): Promise<number>;
  /** `without`: lanes that have no room, whose pushes wait; see `laneOf`. */
  claim(most: number, leaseMs: number, without: readonly string[]): Promise<ClaimedPush[]>;
  end(push: ClaimedPush, end: PushEnd, decision: NotedDecision | null): Promise<void>;
  counts(): Promise<PushCounts>;
}
