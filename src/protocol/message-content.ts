/**
 * What a message holds beside its body, as senders give it, and the rules that concern several of
 * its keys at once. The edge judges by them what a client sends.
 *
 * [MSC1] `body` may be empty where there is an attachment, `data`, or a `type` other than `text`.
 * [MSC2] What the sender sets is at most 16 KiB as UTF-8 text, in all.
 * [MSC3] A message of the type `system` comes from the server or a service. A service's does not say
 *        what only the server's own may: its `data.event` does not begin with `troupe.`.
 */
import Type from "typebox";
import { AppData, utf8Bytes } from "./app-data.ts";
import { type ErrorObject, refused } from "./errors.ts";
import { Attachments } from "./files.ts";
import { MessageBody, Nullable } from "./schemas.ts";

export const CONTENT_BYTES_MAX = 16 * 1024;
const DATA_BYTES_MAX = 4 * 1024;
const EXPIRE_MIN_S = 5;
const EXPIRE_MAX_S = 90 * 24 * 3600;
/** With a body of so many characters everything fits, whatever they are. */
const SURELY_SMALL = 3_000;

export const MessageType = Type.String({
  pattern: "^[a-z][a-z0-9_.-]{0,31}$",
  description: "The application's own, or `system` from a service. Left out for `text`.",
  examples: ["order.placed"],
});

/** Beside `body`; all of it is optional. */
export const SENT_EXTRAS = {
  type: Type.Optional(MessageType),
  data: Type.Optional(AppData(DATA_BYTES_MAX)),
  attachments: Type.Optional(Attachments),
  silent: Type.Optional(
    Type.Boolean({
      description: "No notification, no push, and it does not count as unread.",
    }),
  ),
  expire_in_s: Type.Optional(
    Type.Integer({
      minimum: EXPIRE_MIN_S,
      maximum: EXPIRE_MAX_S,
      description: "The server deletes the message after so many seconds.",
    }),
  ),
};

/** What an edit may name. */
export const EDITED = {
  body: Type.Optional(MessageBody),
  data: Type.Optional(Nullable(AppData(DATA_BYTES_MAX))),
  attachments: Type.Optional(Attachments),
};

/** The same as the actor takes it: keys that have nothing to say are left out. */
export interface MessageContent {
  type?: string;
  data?: AppData;
  /** Each file once. */
  attachments?: { file_id: string }[];
  silent?: true;
  expire_in_s?: number;
  /** The text arrives in pieces. */
  streaming?: true;
}

interface Sent {
  streaming?: true;
  body?: string;
  type?: string;
  data?: AppData | null;
  attachments?: { file_id: string }[];
  silent?: boolean;
  expire_in_s?: number;
}

const problem = (source: string, at: string, what: string) =>
  refused("invalid_payload", `${source}: ${at} ${what}.`, [{ in: source, at, problem: what }]);
const SYSTEM = refused("forbidden", "Messages of the type system come from services only.");

/** The server's own system messages have events that begin so. */
const OWN_EVENTS = "troupe.";
const NO_SYSTEM = refused(
  "forbidden",
  "A service token sends messages of the type system, or acts for a user with Troupe-Act-As.",
);

/** Why a service that acts for no user may not send this; null: it may. */
export function serviceSendRefusal(sent: Sent): ErrorObject | null {
  const { body = "", type, data, attachments = [] } = sent;
  if (type !== "system") return NO_SYSTEM.error;
  if (sent.streaming) return problem("body", "streaming", "wants a user as the sender").error;
  // Only its uploader attaches a file.
  if (attachments.length > 0) return problem("body", "attachments", "must be empty here").error;
  const event = data?.["event"];
  if (typeof event === "string" && event.startsWith(OWN_EVENTS)) {
    return problem("body", "data.event", `must not begin with "${OWN_EVENTS}"`).error;
  }
  return sizeRefusal(body, data, "body");
}

/** Undefined where nothing is beside the body. */
export function contentOf(sent: Sent): MessageContent | undefined {
  const { type, data, attachments, silent, expire_in_s, streaming } = sent;
  const hasMore = type !== undefined || data || attachments || silent === true || streaming;
  if (!hasMore && expire_in_s === undefined) return undefined;
  return {
    ...(type !== undefined && type !== "text" && { type }),
    ...(data && { data }),
    ...(attachments && attachments.length > 0 && { attachments: filesOf(attachments) }),
    ...(silent === true && { silent }),
    ...(expire_in_s !== undefined && { expire_in_s }),
    ...(streaming === true && { streaming }),
  };
}

/** Each file once, as the actor takes it. */
export const filesOf = (attachments: readonly { file_id: string }[]) =>
  fileIdsOf(attachments).map((file_id) => ({ file_id }));

/** Each file once, in the order in which they were named first. */
export function fileIdsOf(attachments: readonly { file_id: string }[]): string[] {
  return [...new Set(attachments.map(({ file_id }) => file_id))];
}

/** What an edit names, as the actor takes it. */
export function editOf<T extends { attachments?: { file_id: string }[] }>({
  attachments,
  ...rest
}: T) {
  return { ...rest, ...(attachments !== undefined && { attachments: fileIdsOf(attachments) }) };
}

/** Why a user may not send this; null: they may. `source`: where it came in, for the refusal. */
export function sendRefusal(sent: Sent, source: "body" | "payload"): ErrorObject | null {
  const { body = "", type = "text", data, attachments = [] } = sent;
  if (type === "system") return SYSTEM.error;
  const mayBeEmpty = type !== "text" || attachments.length > 0 || sent.streaming === true;
  if (body === "" && !data && !mayBeEmpty) {
    return problem(source, "body", sent.body === undefined ? "is missing" : EMPTY).error;
  }
  return sizeRefusal(body, data, source);
}

const EMPTY = "must not be empty without data, an attachment or a type of its own";

/** Why an edit is malformed; null: it is not. Storage judges what is left of the whole message. */
export function editRefusal(
  { body, data, attachments }: Pick<Sent, "body" | "data" | "attachments">,
  source: "body" | "payload",
): ErrorObject | null {
  if (body === undefined && data === undefined && attachments === undefined) {
    return problem(source, "body", "is missing").error;
  }
  return sizeRefusal(body ?? "", data, source);
}

/** [MSC2] */
function sizeRefusal(body: string, data: AppData | null | undefined, source: string) {
  if (!data || body.length <= SURELY_SMALL) return null;
  if (utf8Bytes(body) + utf8Bytes(JSON.stringify(data)) <= CONTENT_BYTES_MAX) return null;
  return problem(source, "data", `must not be more than ${CONTENT_BYTES_MAX} bytes with the body`)
    .error;
}
