/**
 * Handlers that set a picture. A file of Troupe's own is named by its id, or by an address of it;
 * what is kept is its lasting public address.
 *
 * [PIC1] A picture is an image that the caller has uploaded, or is the picture of somebody already.
 */
import type { Files } from "../../../ports/files.ts";
import type { Result } from "../../../protocol/errors.ts";
import type { UserId } from "../../../protocol/ids.ts";
import type { RouteName } from "../../../protocol/routes.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { badField, type PlainHandlers } from "../server/call.ts";

const PICTURED: readonly RouteName[] = [
  "updateMe",
  "putExternalUser",
  "createConversation",
  "updateConversation",
  "putExternalConversation",
];
const OWN_ADDRESS = /\/files\/(\d{1,18})\/([\w.-]{1,40})$/;
const NO_PICTURE = "is not a picture of yours";

type Fields = Record<string, unknown>;
interface AnyCall {
  caller: { userId: UserId; service: string | null };
  body: Fields;
}
type AnyHandler = (call: AnyCall) => Promise<Result<{ status: number; body: unknown }>>;
type Picturing = Pick<Files, "table" | "links">;

export function pictured(handlers: PlainHandlers, files: Picturing): PlainHandlers {
  const all = { ...handlers } as unknown as Record<RouteName, AnyHandler>;
  for (const name of PICTURED) all[name] = withPicture(all[name], files);
  all.putExternalUsers = withPictures(all.putExternalUsers, files);
  return all as unknown as PlainHandlers;
}

function withPicture(handler: AnyHandler, files: Picturing): AnyHandler {
  return async (call) => {
    const { image_file_id, ...body } = call.body;
    if (image_file_id === undefined) {
      if (!isOwn(body["image_url"])) return handler(call);
      const address = await addressOf(body["image_url"], call.caller.userId, files);
      if (address === null) return badField("body", "image_url", NO_PICTURE);
      return handler({ ...call, body: { ...body, image_url: address } });
    }
    if (body["image_url"] !== undefined) {
      return badField("body", "image_file_id", "must not be there beside image_url");
    }
    if (image_file_id === null) return handler({ ...call, body: { ...body, image_url: null } });
    const isPicture = await isImageOf(String(image_file_id), call.caller.userId, files);
    if (!isPicture) return badField("body", "image_file_id", NO_PICTURE);
    const image_url = files.links.picture(String(image_file_id));
    return handler({ ...call, body: { ...body, image_url } });
  };
}

/** Each user of a batch is answered for themselves: what is no picture is refused as no address. */
function withPictures(handler: AnyHandler, files: Picturing): AnyHandler {
  return async (call) => {
    const users = call.body["users"] as Fields[];
    if (!users.some((user) => isOwn(user["image_url"]))) return handler(call);
    const shown = users.map(async (user) => {
      if (!isOwn(user["image_url"])) return user;
      const address = await addressOf(user["image_url"], call.caller.userId, files);
      return { ...user, image_url: address ?? "" };
    });
    return handler({ ...call, body: { users: await Promise.all(shown) } });
  };
}

const isOwn = (address: unknown): address is string =>
  typeof address === "string" && address.startsWith("/");

/** The lasting address of the file at one of its addresses. Null: there is no such picture. */
async function addressOf(
  address: string,
  caller: UserId,
  { table, links }: Picturing,
): Promise<string | null> {
  const [, id = "", token = ""] = OWN_ADDRESS.exec(address) ?? [];
  if (id === "" || links.goodForS(id, token) === 0) return null;
  const isSet = links.isPicture(token) && (await orUnreachable(table.isPicture(id)));
  return isSet || (await isImageOf(id, caller, { table, links })) ? links.picture(id) : null;
}

async function isImageOf(id: string, caller: UserId, { table }: Picturing): Promise<boolean> {
  const file = await orUnreachable(table.file(id));
  return file !== null && file.owner === caller && isImage(file.shown);
}

const isImage = ({ kind, state }: { kind: string; state: string }): boolean =>
  kind === "image" && (state === "ready" || state === "processing");
