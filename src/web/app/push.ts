/** Pushes to this browser, shown by the page's own service worker. */
import type { Client } from "../../client/index.ts";
import { type Push, pushOf } from "../../client/push.ts";
import { SERVER_URL } from "./server-url.ts";

const WORKER = new URL("push-worker.js", SERVER_URL).href;

export const pushHere = (client: Client): Push => pushOf(client, { worker: WORKER });
