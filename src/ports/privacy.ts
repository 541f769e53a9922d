/** The edge's reads of what users let others see. */
import type { UserId } from "../protocol/ids.ts";
import type { Sight } from "../protocol/privacy.ts";

export interface SightPair {
  viewer: UserId;
  user: UserId;
}

export interface PrivacyQueries {
  /** What each viewer sees of the user, in order; see [PRV2]. */
  sights(pairs: readonly SightPair[]): Promise<Sight[]>;
}
