/** The rows of scheduled messages in the memory twin. */
import type { UserId } from "../../protocol/ids.ts";
import type { Scheduled } from "../../protocol/scheduled-routes.ts";

export interface StoredScheduled {
  userId: UserId;
  item: Scheduled;
  dueMs: number;
  claimedUntilMs: number;
}
