/** How a push reaches a device; implemented in src/outbound/push. Types only. */
import type { UserId } from "../protocol/ids.ts";
import type { PushPayload } from "../protocol/push.ts";
import type { DeviceAddress } from "./push.ts";

export interface OutgoingPush {
  /** The same on every retry. */
  id: string;
  userId: UserId;
  device: DeviceAddress & { deviceId: string; locale: string | null; tz: string | null };
  payload: PushPayload;
  /** What it replaces on the device, and in the provider's queue: at most 32 letters and digits. */
  topic: string;
}

export type SendOutcome =
  | { is: "sent" }
  /** The provider does not know the device any more. */
  | { is: "gone"; detail: string }
  /** It would be refused again. */
  | { is: "refused"; detail: string }
  | { is: "failed"; detail: string; retryAfterMs: number };

export interface PushSender {
  /** The host that is asked, for a bound on each. */
  hostOf(device: DeviceAddress): string;
  /** Never rejects. */
  send(push: OutgoingPush): Promise<SendOutcome>;
}
