/** Service tokens, and the log of what services, moderators and operators changed. */
import type { ServiceStore } from "../../../ports/services.ts";
import { ok, refused } from "../../../protocol/errors.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import type { Revocations } from "../../auth/auth.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, BAD_CURSOR, type Handlers } from "../server/call.ts";

type Route = "listServiceTokens" | "getServiceToken" | "endServiceToken" | "listAudit";

const NO_TOKEN = refused("not_found", "No service token with this id is known.");

export function serviceRoutes(
  services: ServiceStore,
  revocations: Pick<Revocations, "endToken">,
): Handlers<Route> {
  return {
    async listServiceTokens({ query: { limit = PAGE_LIMIT_DEFAULT, cursor = null } }) {
      const page = await orUnreachable(services.serviceTokens(limit, cursor));
      return page === undefined ? BAD_CURSOR : answered(200, ok(page));
    },
    async getServiceToken({ params }) {
      const token = await orUnreachable(services.serviceToken(params.jti));
      return token === null ? NO_TOKEN : answered(200, ok(token));
    },
    async endServiceToken({ params }) {
      const token = await orUnreachable(services.endServiceToken(params.jti));
      if (token === null) return NO_TOKEN;
      revocations.endToken(token.jti);
      return answered(204, ok(null));
    },
    async listAudit({ query }) {
      const { actor = null, target = null, after = null, cursor = null } = query;
      const limit = query.limit ?? PAGE_LIMIT_DEFAULT;
      const page = await orUnreachable(services.audit({ actor, target, after }, limit, cursor));
      return page === undefined ? BAD_CURSOR : answered(200, ok(page));
    },
  };
}
