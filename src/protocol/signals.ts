/**
 * Signals: ephemeral events of the application inside a conversation. Never stored, without a
 * `rev`, at most once.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { AppData, AppType } from "./app-data.ts";
import { Id, Nullable, Request, Time } from "./schemas.ts";

const DATA_BYTES_MAX = 1024;
const NAMED_MAX = 100;
/** In groups of so many members a signal is one unit; see `signalUnits`. */
const RECEIVERS_A_UNIT = 20;

const Key = Type.String({
  format: "label",
  description:
    "1–64 code points. The newest signal of the same user, type and key replaces one that was not yet written to a slow socket.",
});
const Data = AppData(DATA_BYTES_MAX);

const Fields = {
  type: AppType,
  data: Type.Optional(Data),
  to: Type.Optional(
    Type.Array(Id, {
      maxItems: NAMED_MAX,
      description: "Only these members receive it; who is no member is passed over.",
    }),
  ),
  key: Type.Optional(Key),
};

/** The body of `POST /api/conversations/:id/signals`. */
export const SignalBody = Request(Fields);
/** The payload of the event that a client sends. */
export const SignalPayload = Request({ conversation_id: Id, ...Fields });

/** As the others receive it. */
export const Signal = Type.Object({
  conversation_id: Id,
  user_id: Nullable(Id),
  type: Type.String(),
  data: Type.Optional(Type.Unsafe<AppData>(Type.Unknown({ description: "As it was sent." }))),
  key: Type.Optional(Type.String()),
  sent_at: Time,
});

export type SignalBody = Static<typeof SignalBody>;
export type SignalPayload = Static<typeof SignalPayload>;
export type Signal = Static<typeof Signal>;

/** What the edges need to know of a signal beside what they pass on. */
export interface SignalNote {
  /** Only these users receive it. */
  to?: string[];
  /** Its user's newest signal of this name may stand for the older ones. */
  latest?: string;
}

/** What a signal with so many receivers counts as in the limit `signal`. */
export function signalUnits(receivers: number): number {
  return Math.max(1, Math.ceil(receivers / RECEIVERS_A_UNIT));
}
