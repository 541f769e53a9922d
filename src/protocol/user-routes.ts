/**
 * The application's own users, whom its back end makes and looks after, and what the caller may
 * change of the own user. Part of ROUTES in routes.ts.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { ById, type RouteSpec } from "./route-spec.ts";
import {
  ErrorBody,
  ExternalId,
  Id,
  ImageUrl,
  Nullable,
  Password,
  Request,
  Title,
  TrustedData,
  User,
  UserData,
  Username,
} from "./schemas.ts";

export const BATCH_USERS_MAX = 100;
const BATCH_BYTES_MAX = 1024 * 1024;
export const MINTED_TTL_S_MAX = 86_400;

const UserKeys = {
  username: Type.Optional(Username),
  display_name: Type.Optional(Title),
  image_url: Type.Optional(Nullable(ImageUrl)),
  data: Type.Optional(Nullable(UserData)),
};

/** Keys that are left out stay; `data` and `trusted` are replaced whole; null takes a key away. */
export const ExternalUser = Request({
  ...UserKeys,
  trusted: Type.Optional(Nullable(TrustedData)),
});
/** An item of a batch, which is checked by itself. */
export const BatchUser = Request({ external_id: ExternalId, ...ExternalUser.properties });

const BatchItem = Type.Object({ user: Type.Optional(User), error: Type.Optional(ErrorBody) });

export const USER_ROUTES = {
  updateMe: {
    group: "Accounts and tokens",
    method: "PATCH",
    path: "/api/me",
    summary:
      "Change one's own name, picture, `data`, or username: once in 30 days, for which the old one stays reserved.",
    token: true,
    body: Request({
      ...UserKeys,
      image_file_id: Type.Optional(
        Nullable({
          ...Id,
          description: "An own image, whose lasting address `image_url` becomes.",
        }),
      ),
    }),
    answers: { 200: User },
    refusals: ["conflict"],
  },
  putExternalUser: {
    group: "Services",
    method: "PUT",
    path: "/api/users/external/:external_id",
    summary:
      "Make or update the user that the application calls so. A key that is left out stays; `data` and `trusted` are replaced whole.",
    token: true,
    scope: "users",
    params: Request({ external_id: ExternalId }),
    body: ExternalUser,
    answers: { 201: User, 200: User },
    refusals: ["conflict"],
  },
  putExternalUsers: {
    group: "Services",
    method: "POST",
    path: "/api/users/batch",
    summary: "The same for up to 100 users, up to 1 MiB; each is answered for itself, in order.",
    token: true,
    scope: "users",
    bodyBytesMax: BATCH_BYTES_MAX,
    body: Request({
      users: Type.Array(
        Type.Object({}, { description: "As the body of `PUT`, and `external_id`." }),
        { minItems: 1, maxItems: BATCH_USERS_MAX },
      ),
    }),
    answers: { 200: Type.Object({ items: Type.Array(BatchItem) }) },
    refusals: [],
  },
  mintToken: {
    group: "Services",
    method: "POST",
    path: "/api/users/:id/tokens",
    summary: "An access token for a user. There is no refresh token: ask again.",
    token: true,
    scope: "users",
    params: ById,
    body: Request({
      ttl_s: Type.Optional(Type.Integer({ minimum: 1, maximum: MINTED_TTL_S_MAX })),
    }),
    answers: { 201: Type.Object({ access_token: Type.String(), expires_in: Type.Integer() }) },
    refusals: ["not_found"],
  },
  revokeUser: {
    group: "Services",
    method: "POST",
    path: "/api/users/:id/revoke",
    summary: "End every token, login and session of a user from before this moment.",
    token: true,
    scope: "users",
    params: ById,
    answers: { 204: null },
    refusals: ["not_found"],
  },
  setPassword: {
    group: "Services",
    method: "POST",
    path: "/api/users/:id/password",
    summary: "Set the password of an account of Troupe's own; its logins end.",
    token: true,
    scope: "users",
    params: ById,
    body: Request({ password: Password }),
    answers: { 204: null },
    refusals: ["not_found", "conflict"],
  },
} as const satisfies Record<string, RouteSpec>;

export type ExternalUser = Static<typeof ExternalUser>;
export type BatchUser = Static<typeof BatchUser>;
