/**
 * The call that a route's handler receives and its answer. Handlers are plain async functions from a
 * checked call to a Result; they know neither fastify nor headers. A rejection with
 * StorageUnreachable is answered `unavailable`, any other one `internal`.
 */
import { type Result, refused } from "../../../protocol/errors.ts";
import type { JsonText } from "../../../protocol/json-text.ts";
import type {
  ROUTES,
  RouteAnswer,
  RouteBody,
  RouteName,
  RouteParams,
  RouteQuery,
} from "../../../protocol/routes.ts";
import type { Identity } from "../../auth/identity.ts";
import type { Source } from "../../validation.ts";

export interface Call<R extends RouteName> {
  params: RouteParams<R>;
  query: RouteQuery<R>;
  body: RouteBody<R>;
  /** The identity in the token; null where the route wants no token. */
  caller: (typeof ROUTES)[R]["token"] extends true ? Identity : null;
  /** The address that the call is charged to; "" where calls are not charged (operations). */
  address: string;
  /** The request's User-Agent header, cut to 200 characters. */
  userAgent: string | null;
}

/** An answer's body may come as JSON text. */
type Answering<A> = A extends { status: infer S; body: infer B }
  ? { status: S; body: B | JsonText<B> }
  : never;

export type Handler<R extends RouteName> = (
  call: Call<R>,
) => Promise<Result<Answering<RouteAnswer<R>>>>;

export type Handlers<R extends RouteName = RouteName> = { [Name in R]: Handler<Name> };
/** All but those that read their bodies themselves, or answer with bytes. */
export type PlainHandlers = Omit<
  Handlers,
  "uploadFile" | "streamMessage" | "pipeMessage" | "getExport" | "startImport"
>;

/** A value as the answer with `status`; refusals pass. */
export function answered<S extends number, T>(
  status: S,
  result: Result<T>,
): Result<{ status: S; body: T }> {
  return result.ok ? { ok: true, value: { status, body: result.value } } : result;
}

/** A refusal that the schemas cannot say, in their form. */
export function badField(source: Source, at: string, problem: string) {
  return refused("invalid_payload", `${source}: ${at} ${problem}.`, [{ in: source, at, problem }]);
}

export const BAD_CURSOR = badField("query", "cursor", "is not one that this list gave");
