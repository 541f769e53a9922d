/**
 * Follows and blocks. The caller's own actor does both, so that one user's changes happen one after
 * the other; all of them may be repeated.
 */
import { asUserId } from "../../../protocol/schemas.ts";
import type { Identity } from "../../auth/identity.ts";
import { answered, type Handlers } from "../server/call.ts";
import type { AskActors } from "./conversations.ts";

type Route = "followUser" | "unfollowUser" | "blockUser" | "unblockUser";

export function graphRoutes(gateway: AskActors): Handlers<Route> {
  async function follow(caller: Identity, user: string, following: boolean) {
    const change = { user_id: asUserId(user), following };
    return answered(200, await gateway.ask("user", caller.userId, "follow", change));
  }

  async function block(caller: Identity, user: string, blocked: boolean) {
    const change = { user_id: asUserId(user), blocked };
    return answered(200, await gateway.ask("user", caller.userId, "block", change));
  }

  return {
    followUser: ({ caller, params }) => follow(caller, params.id, true),
    unfollowUser: ({ caller, params }) => follow(caller, params.id, false),
    blockUser: ({ caller, params }) => block(caller, params.id, true),
    unblockUser: ({ caller, params }) => block(caller, params.id, false),
  };
}
