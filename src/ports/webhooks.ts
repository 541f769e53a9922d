/**
 * Webhooks: where events are sent, and how far each has come. Implemented in
 * src/storage/postgres/webhooks.ts. Rejects only when storage is out of reach.
 */

import type { Webhook } from "../protocol/event-routes.ts";
import type { OutsideEvent } from "../protocol/outside-events.ts";
import type { LogPlace } from "./events.ts";

export interface NewWebhook {
  url: string;
  types: readonly string[];
  isBatch: boolean;
  secret: string;
  madeBy: string;
}

export interface WebhookChange {
  url?: string;
  types?: readonly string[];
  isBatch?: boolean;
  isEnabled?: boolean;
  /** The present secret is good for another day. */
  secret?: string;
}

/** What a request to a webhook needs. */
export interface WebhookTarget {
  url: string;
  secrets: string[];
}

export interface WebhookStore {
  /** Null: there are as many as there may be. */
  create(webhook: NewWebhook): Promise<Webhook | null>;
  list(): Promise<Webhook[]>;
  webhook(id: string): Promise<Webhook | null>;
  change(id: string, change: WebhookChange): Promise<Webhook | null>;
  /** False: there is no such webhook. */
  remove(id: string): Promise<boolean>;
  target(id: string): Promise<WebhookTarget | null>;
  /** Goes on with a parked key, or with all of them; how many there were. Null: no such webhook. */
  unpark(id: string, key: string | null): Promise<number | null>;
  /** Queues again what the webhook wants after that place, as far as it has looked. */
  replay(id: string, after: LogPlace): Promise<boolean>;
}

export interface QueueLook extends WebhookTarget {
  isBatch: boolean;
  isEnabled: boolean;
  /** Keys that have events to deliver since this look. */
  fresh: string[];
  /** Keys that failed and may be tried again. */
  due: string[];
  hasMore: boolean;
}

/** An event of a webhook's queue. */
export interface QueuedEvent {
  key: string;
  pos: number;
  n: number;
  /** Null: it is not in the log any more. */
  event: OutsideEvent | null;
}

export interface FailedKey {
  key: string;
  /** Milliseconds until the next try; null: the key is parked. */
  retryInMs: number | null;
  /** The last event of what was tried. */
  pos: number;
  n: number;
}

/** What the deliverer of a webhook does with its queue. */
export interface WebhookQueue {
  /** Null: there is no such webhook any more. */
  look(id: string, rows: number): Promise<QueueLook | null>;
  /** The keys that have undelivered events and have not failed. */
  waiting(id: string): Promise<string[]>;
  /** The next events of a key, in order, and how often the first of them was tried. */
  next(id: string, key: string, most: number): Promise<{ events: QueuedEvent[]; attempts: number }>;
  delivered(id: string, events: readonly QueuedEvent[]): Promise<void>;
  failed(id: string, failed: FailedKey): Promise<void>;
  disable(id: string): Promise<void>;
}
