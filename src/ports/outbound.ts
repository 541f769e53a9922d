/** Requests to webhooks as the edge makes them; implemented in src/outbound. Types only. */
import type { WebhookTarget } from "./webhooks.ts";

export interface ProbeAnswer {
  /** It was answered with a 2xx. */
  delivered: boolean;
  /** Null: there was no answer. */
  status: number | null;
  problem: string | null;
  ms: number;
}

export interface Probe {
  /** Why events cannot be sent there, as the end of a sentence; null: nothing speaks against it. */
  problemOf(url: string): Promise<string | null>;
  newSecret(): string;
  /** Sends `webhook.test`. */
  test(id: string, target: WebhookTarget): Promise<ProbeAnswer>;
}
