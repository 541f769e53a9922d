/**
 * The checks before the body of a request is read: the token and the limits.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { isRightToken } from "../../../base/bearer.ts";
import { ok, REFUSALS, type Result, refused } from "../../../protocol/errors.ts";
import type { UserId } from "../../../protocol/ids.ts";
import { type Act, judge, RULES } from "../../../protocol/policy.ts";
import type { Auth } from "../../auth/auth.ts";
import { factsOf, type Identity } from "../../auth/identity.ts";
import type { EdgeLimits } from "../../limits/limits.ts";
import { StorageUnreachable } from "../../storage-reachable.ts";
import type { ClientReader } from "../../transport/client-address.ts";
import { answerFault } from "./fallbacks.ts";
import { actingUser, type NameQueries } from "./named-ids.ts";
import type { Replies } from "./replies.ts";

declare module "fastify" {
  interface FastifyRequest {
    caller: Identity | null;
    /** The address that the request is charged to; see client-address.ts. */
    address: string;
  }
}

/** A fastify onRequest hook. */
export type Gate = (request: FastifyRequest, reply: FastifyReply, done: () => void) => void;

const NO_TOKEN = refused("unauthorized", "Send an access token: Authorization: Bearer ….").error;
const NO_METRICS_TOKEN = refused("unauthorized", "Send METRICS_TOKEN as a bearer token.").error;

/** For whom a service with scope `act` calls: a user's id, or `external:<id>`. */
const ACT_AS = "troupe-act-as";
const NOT_A_SERVICE = refused("forbidden", "Only a service token with scope act acts for a user.");

export interface Gates {
  /** Routes that want a token, and of whom the act's rules say. */
  token(act: Act): Gate;
  /** Routes that give tokens. */
  account: Gate;
  /** Signed addresses, which are token enough. */
  file: Gate;
  /** Routes of monitors and proxies, which want no token. */
  operation: Gate;
  /** The same, and METRICS_TOKEN where it is set. */
  metrics: Gate;
}

export function createGates(
  auth: Auth,
  limits: EdgeLimits,
  replies: Replies,
  clients: ClientReader,
  queries: NameQueries,
  isSuspended: (user: UserId) => boolean,
  log: Logger,
  metricsToken: string | null,
): Gates {
  /** The identity with which a service acts for the user that it names. */
  async function asNamed(identity: Identity, named: string): Promise<Result<Identity>> {
    if (identity.service === null || !identity.scope.includes("act")) return NOT_A_SERVICE;
    try {
      const user = await actingUser(named, queries);
      if (!user.ok) return user;
      if (isSuspended(user.value)) return RULES.admitted;
      return ok({ ...identity, userId: user.value });
    } catch (fault) {
      if (fault instanceof StorageUnreachable) return REFUSALS.unavailable;
      throw fault;
    }
  }

  const operation: Gate = (request, reply, done) => {
    request.address = clients.addressOf(request.raw);
    const limited = limits.operationCall(request.address);
    if (limited === null) done();
    else replies.refuse(request, reply, limited);
  };

  return {
    token: (act) => (request, reply, done) => {
      const token = bearerOf(request.headers.authorization);
      const known = token === null ? undefined : auth.known(token);
      // A service speaks for all users at once, and is not the public: no limit.
      const isService = known?.ok === true && known.value.service !== null;
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
        const { userId, service } = identity.value;
        request.caller = identity.value;
        const refusal =
          judge(act, factsOf(identity.value)) ??
          (service !== null ? null : limits.userCall(userId));
        if (refusal !== null) {
          replies.refuse(request, reply, refusal);
          return;
        }
        done();
      };
      const named = request.headers[ACT_AS];
      if (named === undefined) {
        if (known !== undefined) admit(known);
        // `verify` never rejects.
        else void auth.verify(token).then(admit);
        return;
      }
      void Promise.resolve(known ?? auth.verify(token))
        .then((identity) =>
          identity.ok ? asNamed(identity.value, String(named).trim()) : identity,
        )
        .then(admit, (fault: unknown) => answerFault(request, reply, fault, replies, log));
    },

    account(request, reply, done) {
      request.address = clients.addressOf(request.raw);
      const limited = limits.httpCall(request.address) ?? limits.authCall(request.address);
      // Tokens must not stay in anybody's cache.
      reply.header("cache-control", "no-store");
      if (limited === null) done();
      else replies.refuse(request, reply, limited);
    },

    file(request, reply, done) {
      request.address = clients.addressOf(request.raw);
      const limited = limits.httpCall(request.address);
      if (limited === null) done();
      else replies.refuse(request, reply, limited);
    },

    operation,

    metrics: (request, reply, done) =>
      operation(request, reply, () => {
        const { authorization } = request.headers;
        if (metricsToken === null || isRightToken(authorization, metricsToken)) done();
        else replies.refuse(request, reply, NO_METRICS_TOKEN);
      }),
  };
}

const BEARER = /^Bearer +([\w\-.~+/]+=*) *$/i;

function bearerOf(authorization: string | undefined): string | null {
  if (authorization === undefined) return null;
  return BEARER.exec(authorization)?.[1] ?? null;
}
