/** The caller of a request as an actor receives it. */
import type { Acting, AskedAbout } from "../../../protocol/actor-ops.ts";
import type { Identity } from "../../auth/identity.ts";

/** Over HTTP no session acts, so every session of the user receives the event. */
export function actingOf({ userId, service }: Identity): Acting {
  return { user: userId, session: "", ...(service !== null && { isService: true }) };
}

/** For what hooks may be asked about, with what the application put into the user's token. */
export function askedActingOf(caller: Identity): AskedAbout {
  const { claims } = caller;
  return claims === null ? actingOf(caller) : { ...actingOf(caller), claims };
}
