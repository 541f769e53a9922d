/**
 * Push messages: devices, a user's settings, payloads, and decisions with their reasons. The rule
 * that decides is in src/jobs/push/decision.ts.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { Id, Nullable, Ordinal, Request, Time } from "./schemas.ts";

/** Devices that one user may have. */
export const DEVICES_MAX = 25;
/** Decisions that are kept of a user. */
export const DECISIONS_KEPT = 50;
/** Code points of a text in a push. */
export const PUSH_TEXT_MAX = 200;

const ADDRESS_CHARS_MAX = 2_048;
const TOKEN_CHARS_MAX = 4_096;

export const PROVIDERS = ["webpush", "fcm", "apns"] as const;
export type Provider = (typeof PROVIDERS)[number];
export const CONTENTS = ["full", "sender", "none"] as const;
export type PushContent = (typeof CONTENTS)[number];

const oneOf = <const T extends readonly string[]>(words: T, description?: string) =>
  Type.Unsafe<T[number]>(
    Type.Union(
      words.map((word) => Type.Literal(word)),
      description === undefined ? {} : { description },
    ),
  );

export const DeviceId = Type.String({
  pattern: "^[A-Za-z0-9._:-]{1,128}$",
  examples: ["phone-1"],
  description: "The client's own name for it: 1–128 letters, digits, and any of `._:-`.",
});
const ProviderName = oneOf(PROVIDERS);
const Locale = Type.String({
  format: "locale",
  examples: ["en-GB"],
  description: "A language tag, such as `en-GB`.",
});
const TimeZone = Type.String({
  format: "time_zone",
  examples: ["Europe/Berlin"],
  description: "A time zone of the IANA's database, such as `Europe/Berlin`.",
});
const Hour = (example: string) =>
  Type.String({ pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$", examples: [example] });

/** As `PushSubscription.toJSON()` of a browser. */
const Subscription = Type.Object(
  {
    endpoint: Type.String({
      minLength: 1,
      maxLength: ADDRESS_CHARS_MAX,
      examples: ["https://push.example.com/send/5f2c9a"],
      description: "An https address that is not private.",
    }),
    expirationTime: Type.Optional(Nullable(Type.Number())),
    keys: Type.Object(
      {
        p256dh: Type.String({
          pattern: "^[A-Za-z0-9_-]{87}=?$",
          description: "The browser's public key: a point on P-256 of 65 bytes, in base64url.",
          examples: [
            "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
          ],
        }),
        auth: Type.String({
          pattern: "^[A-Za-z0-9_-]{22}={0,2}$",
          description: "The browser's secret: 16 bytes in base64url.",
          examples: ["tBHItJI5svbpez7KI4CCXg"],
        }),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

export const DeviceAsked = Request({
  provider: ProviderName,
  subscription: Type.Optional(Subscription),
  token: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: TOKEN_CHARS_MAX,
      pattern: "^[\\x21-\\x7e]+$",
      examples: ["f3a9c1"],
      description: "The device's own token of FCM or APNs.",
    }),
  ),
  locale: Type.Optional(Locale),
  tz: Type.Optional(TimeZone),
});

export const Device = Type.Object({
  device_id: DeviceId,
  provider: ProviderName,
  locale: Nullable(Type.String()),
  tz: Nullable(Type.String()),
  created_at: Time,
  updated_at: Time,
});

export const Devices = Type.Object({ items: Type.Array(Device) });

const PushLevel = oneOf(
  ["all", "mentions", "none"],
  "Which messages of conversations without a level of their own are pushed. Null: all of direct" +
    " conversations, groups and followed threads, and mentions in channels.",
);
const QuietHours = Type.Object(
  { from: Hour("22:00"), to: Hour("07:00"), tz: TimeZone },
  { additionalProperties: false, description: "From `from` up to `to`, each day, in that zone." },
);

export const PushSettings = Type.Object({
  level: Nullable(PushLevel),
  snoozed_until: Nullable(Time),
  quiet_hours: Nullable(QuietHours),
  content: oneOf(CONTENTS, "What a push says: sender and text, the sender alone, or neither."),
});

export const PushPatch = Request({
  level: Type.Optional(Nullable(PushLevel)),
  snoozed_until: Type.Optional(Nullable(Type.String({ format: "moment" }))),
  quiet_hours: Type.Optional(Nullable(QuietHours)),
  content: Type.Optional(Nullable(oneOf(CONTENTS, "Null: as the deployment has it."))),
});

export const PushKey = Type.Object({
  public_key: Type.String({
    description: "The VAPID public key: what a browser subscribes with, in base64url.",
  }),
});

/** How it was decided on one push. */
export const REASONS = [
  /** The provider has taken it. */
  "sent",
  /** A session is online: it waits for up to 15 s. */
  "active_session",
  "read_before",
  "muted",
  "level",
  "quiet_hours",
  "snoozed",
  "blocked",
  /** The message is gone. */
  "deleted",
  /** The reader is no member any more. */
  "left",
  "suspended",
  /** The provider refused it for good, or was out of reach for a day; or it is tried again. */
  "provider_error",
  /** The provider does not know the device any more, and it was removed. */
  "device_gone",
] as const;
export type PushReason = (typeof REASONS)[number];

const Kind = oneOf(["message", "notification", "read"]);

export const PushDecision = Type.Object({
  at: Time,
  kind: Kind,
  conversation_id: Nullable(Id),
  seq: Nullable(Ordinal),
  notification_id: Nullable(Id),
  device_id: Nullable(
    Type.String({ description: "null: it holds for all of the user's devices." }),
  ),
  reason: oneOf(REASONS),
  detail: Nullable(Type.String({ description: "What the provider answered." })),
});

export const PushDecisions = Type.Object({ items: Type.Array(PushDecision) });

/** What a device receives. */
export const PushPayload = Type.Object({
  v: Type.Literal(1),
  kind: Kind,
  conversation_id: Type.Optional(Id),
  seq: Type.Optional(Ordinal),
  title: Type.String(),
  body: Type.Optional(Type.String()),
  count: Type.Integer({ minimum: 0 }),
  badge: Type.Integer({ minimum: 0 }),
  url: Type.String(),
});

export type DeviceAsked = Static<typeof DeviceAsked>;
export type Device = Static<typeof Device>;
export type PushSettings = Static<typeof PushSettings>;
export type PushPatch = Static<typeof PushPatch>;
export type QuietHours = Static<typeof QuietHours>;
export type PushLevel = Static<typeof PushLevel>;
export type PushDecision = Static<typeof PushDecision>;
export type PushPayload = Static<typeof PushPayload>;
export type PushKind = Static<typeof Kind>;
