/**
 * What stands before the body of a request is even read: the token and the limits.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { type Result, refused } from "../../../protocol/errors.ts";
import { type Act, judge } from "../../../protocol/policy.ts";
import { type Auth, factsOf, type Identity, SERVICE_USER } from "../../auth/auth.ts";
import type { EdgeLimits } from "../../limits/limits.ts";
import type { ClientReader } from "../../transport/client-address.ts";
import type { Replies } from "./replies.ts";

declare module "fastify" {
  interface FastifyRequest {
    caller: Identity | null;
    /** Whom the request counts for; see client-address.ts. */
    address: string;
  }
}

/** A fastify onRequest hook. */
export type Gate = (request: FastifyRequest, reply: FastifyReply, done: () => void) => void;

const NO_TOKEN = refused("unauthorized", "Send an access token: Authorization: Bearer ….").error;

export interface Gates {
  /** Routes that want a token, and of whom the act's rules say. */
  token(act: Act): Gate;
  /** Routes that give tokens. */
  account: Gate;
  /** Routes of monitors and proxies, which want no token. */
  operation: Gate;
}

export function createGates(
  auth: Auth,
  limits: EdgeLimits,
  replies: Replies,
  clients: ClientReader,
): Gates {
  return {
    token: (act) => (request, reply, done) => {
      const token = bearerOf(request.headers.authorization);
      const known = token === null ? undefined : auth.known(token);
      // A service speaks for all users at once, and is not the public: no limit.
      const isService = known?.ok === true && known.value.userId === SERVICE_USER;
      request.address = clients.addressOf(request.raw);
      const limited = isService ? null : limits.httpCall(request.address);
      if (limited !== null) {
        replies.refuse(request, reply, limited);
        return;
      }
      if (token === null) {
        replies.refuse(request, reply, NO_TOKEN);
        return;
      }
      const admit = (identity: Result<Identity>) => {
        if (!identity.ok) {
          replies.refuse(request, reply, identity.error);
          return;
        }
        const { userId } = identity.value;
        request.caller = identity.value;
        const refusal =
          judge(act, factsOf(identity.value)) ??
          (userId === SERVICE_USER ? null : limits.userCall(userId));
        if (refusal !== null) {
          replies.refuse(request, reply, refusal);
          return;
        }
        done();
      };
      if (known !== undefined) admit(known);
      // `verify` never rejects.
      else void auth.verify(token).then(admit);
    },

    account(request, reply, done) {
      request.address = clients.addressOf(request.raw);
      const limited = limits.httpCall(request.address) ?? limits.authCall(request.address);
      // Tokens must not stay in anybody's cache.
      reply.header("cache-control", "no-store");
      if (limited === null) done();
      else replies.refuse(request, reply, limited);
    },

    operation(request, reply, done) {
      request.address = clients.addressOf(request.raw);
      const limited = limits.operationCall(request.address);
      if (limited === null) done();
      else replies.refuse(request, reply, limited);
    },
  };
}

const BEARER = /^Bearer +([\w\-.~+/]+=*) *$/i;

function bearerOf(authorization: string | undefined): string | null {
  if (authorization === undefined) return null;
  return BEARER.exec(authorization)?.[1] ?? null;
}
