/** The caller of a request as an actor receives it. */
import type { Acting } from "../../../protocol/actor-ops.ts";
import type { Identity } from "../../auth/identity.ts";

/** Over HTTP no session acts, so every session of the user receives the event. */
export function actingOf({ userId, service }: Identity): Acting {
  return { user: userId, session: "", ...(service !== null && { isService: true }) };
}
