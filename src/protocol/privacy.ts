/**
 * What a user lets others see, and from whom the user takes messages and additions.
 *
 * [PRV1] A contact of a user is somebody whom the user follows, or with whom the user has a direct
 *        conversation in which both wrote.
 * [PRV2] Presence and the time last seen are pairwise: a user sees them of another only where each of
 *        the two lets the other see them.
 * [PRV3] With `receipts: false` others see the user's `read_seq` as 0, and the user sees it as 0 of
 *        the other one in direct conversations.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { Request } from "./schemas.ts";

const Audience = Type.Union([
  Type.Literal("everyone"),
  Type.Literal("contacts"),
  Type.Literal("nobody"),
]);

const PARTS = {
  presence: Audience,
  last_seen: Audience,
  receipts: Type.Boolean(),
  direct: Type.Union([Type.Literal("everyone"), Type.Literal("contacts")]),
  add_consent: Type.Union([Type.Literal("anyone"), Type.Literal("contacts")]),
  discoverable: Type.Boolean(),
};

export const Privacy = Type.Object(PARTS);
export const PrivacyPatch = Request({
  presence: Type.Optional(PARTS.presence),
  last_seen: Type.Optional(PARTS.last_seen),
  receipts: Type.Optional(PARTS.receipts),
  direct: Type.Optional(PARTS.direct),
  add_consent: Type.Optional(PARTS.add_consent),
  discoverable: Type.Optional(PARTS.discoverable),
});

export type Privacy = Static<typeof Privacy>;
export type PrivacyPatch = Static<typeof PrivacyPatch>;
export type Audience = Static<typeof Audience>;

export const PRIVACY_DEFAULTS: Privacy = {
  presence: "everyone",
  last_seen: "everyone",
  receipts: true,
  direct: "everyone",
  add_consent: "anyone",
  discoverable: true,
};

export const PRIVACY_CHOICES: { readonly [K in keyof Privacy]: readonly Privacy[K][] } = {
  presence: ["everyone", "contacts", "nobody"],
  last_seen: ["everyone", "contacts", "nobody"],
  receipts: [true, false],
  direct: ["everyone", "contacts"],
  add_consent: ["anyone", "contacts"],
  discoverable: [true, false],
};

/** The order in which PRIVACY_DEFAULTS names them. */
export const PRIVACY_KEYS = Object.keys(PRIVACY_DEFAULTS) as (keyof Privacy)[];

/** What one user sees of another. */
export interface Sight {
  presence: boolean;
  last_seen: boolean;
}

export const FULL_SIGHT: Sight = { presence: true, last_seen: true };

/** Whether the user's presence or time last seen may be hidden from somebody. */
export const isReserved = ({ presence, last_seen }: Privacy): boolean =>
  presence !== "everyone" || last_seen !== "everyone";
