/** `online`: waits for the session, for programs that begin with it. */
import type { User } from "../protocol/schemas.ts";
import type { Client } from "./client.ts";
import { TroupeError } from "./error.ts";

/** Resolves when everything is here; rejects when the connection is closed. */
export function online({ connection, me }: Client): Promise<User> {
  return new Promise((resolve, reject) => {
    const unsubscribe = connection.subscribe(look);
    function look(): void {
      const state = connection.get();
      const user = me.get();
      if (state.is === "online" && user) resolve(user);
      else if (state.is === "closed") {
        const { reason } = state;
        const code = reason.by === "refused" ? reason.code : "unavailable";
        reject(new TroupeError({ code, message: "The client is closed.", details: reason }));
      } else return;
      unsubscribe();
    }
    look();
  });
}
