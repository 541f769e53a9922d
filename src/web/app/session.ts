/**
 * What lasts from a sign-in to its end: the SDK's client, what the page adds to it, and what it has to
 * say for a moment. One for a login.
 */

import type { Client } from "../../client/index.ts";
import { connect, onMessage, TroupeError, webOutbox } from "../../client/index.ts";
import { inboxOf } from "../../client/social.ts";
import type { User } from "../../protocol/schemas.ts";
import type { Account } from "./account.ts";
import { createApi } from "./http.ts";
import { createOwnStatus, type OwnStatus } from "./own-status.ts";
import { pushHere } from "./push.ts";
import { SERVER_URL } from "./server-url.ts";
import { createSocial, type Social } from "./social.ts";
import { createToasts, type Toasts } from "./toasts.ts";
import { caughtUpText } from "./wording.ts";

export interface Session {
  me: User;
  client: Client;
  social: Social;
  status: OwnStatus;
  toasts: Toasts;
  stop(): void;
}

export function createSession(account: Account, me: User): Session {
  const client = connect({
    url: SERVER_URL,
    storage: webOutbox(localStorage, me.id),
    async getToken({ stale }) {
      const answer = await (stale === null ? account.accessToken() : account.renewedToken(stale));
      if (!answer.ok) throw new TroupeError(answer.error);
      return answer.value;
    },
  });
  // The count of the bell comes with the session's first event.
  inboxOf(client);
  const social = createSocial(me.id, createApi(client.api), client);
  const status = createOwnStatus(client);
  const toasts = createToasts();
  let hasBeenOnline = false;
  let missed = 0;

  const takeConnection = (): void => {
    const connection = client.connection.get();
    if (connection.is === "online") {
      if (hasBeenOnline) toasts.show(caughtUpText(missed));
      hasBeenOnline = true;
      missed = 0;
      social.resume();
    } else if (connection.is === "closed") {
      const { reason } = connection;
      const isOver =
        (reason.by === "server" && /^(logged_out|suspended)$/.test(reason.code)) ||
        reason.by === "refused";
      if (isOver && account.user()) account.end(reason.message);
    }
  };

  const ends = [
    pushHere(client).closeRead(),
    client.connection.subscribe(takeConnection),
    onMessage(client, ({ sender_id }) => {
      if (sender_id !== me.id && client.connection.get().is !== "online") missed++;
    }),
  ];

  return {
    me,
    client,
    social,
    status,
    toasts,
    stop() {
      for (const end of ends) end();
      status.stop();
      toasts.stop();
      social.stop();
      client.close();
    },
  };
}
