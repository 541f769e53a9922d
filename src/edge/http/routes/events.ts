/** The event log and the webhooks of back ends. */
import type { Clock } from "../../../base/clock.ts";
import type { EventsMode } from "../../../config/event-keys.ts";
import type { EventLog, LogPlace } from "../../../ports/events.ts";
import type { JobQueue } from "../../../ports/jobs.ts";
import type { Probe } from "../../../ports/outbound.ts";
import type { WebhookStore } from "../../../ports/webhooks.ts";
import { ok, type Result, refused } from "../../../protocol/errors.ts";
import { WEBHOOKS_MAX, type Webhook } from "../../../protocol/event-routes.ts";
import {
  isPresenceType,
  unknownPattern,
  withHidden,
  withoutHidden,
} from "../../../protocol/outside-events.ts";
import type { Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, badField, type Handlers } from "../server/call.ts";
import { cursorOf, Pulls, placeOf } from "../server/pulls.ts";

type Route =
  | "pullEvents"
  | "createWebhook"
  | "listWebhooks"
  | "getWebhook"
  | "updateWebhook"
  | "deleteWebhook"
  | "testWebhook"
  | "replayWebhook"
  | "unparkWebhook";

export interface EventDeps {
  config: { events: EventsMode };
  events: EventLog;
  webhooks: WebhookStore;
  jobs: JobQueue;
  probe: Probe;
  clock: Clock;
}

const OFF = refused("conflict", "This deployment keeps no events (EVENTS=off).");
const NO_WEBHOOK = refused("not_found", "No such webhook.");
const TOO_MANY = refused(
  "conflict",
  `There are ${WEBHOOKS_MAX} webhooks, as many as there may be.`,
);
const NO_CHANGE = badField("body", "", "names nothing to change");
const BAD_PLACE = (source: "query" | "body") =>
  badField(source, "after", "is not now, oldest or a cursor that the log gave");

export function eventRoutes(deps: EventDeps): { handlers: Handlers<Route>; pulls: Pulls } {
  const { config, events, webhooks, jobs, probe } = deps;
  const pulls = new Pulls(events, deps.clock);

  const gone = (oldest: LogPlace) =>
    refused("gone", "The log does not reach back to this cursor. Begin with details.oldest.", {
      oldest: cursorOf(oldest),
    });

  /** Begins the log where it is not kept, and finds the place that a caller means. */
  async function placeIn(after: string, source: "query" | "body"): Promise<Result<LogPlace>> {
    const place = after === "now" || after === "oldest" ? null : placeOf(after);
    if (place === null && after !== "now" && after !== "oldest") return BAD_PLACE(source);
    let state = await orUnreachable(events.state());
    if (!state.isOn) {
      await begun();
      state = await orUnreachable(events.state());
    }
    if (place === null) return ok(after === "now" ? state.end : state.oldest);
    return (await orUnreachable(events.read(place, { types: [], keys: null }, 1))) === null
      ? gone(state.oldest)
      : ok(place);
  }

  async function begun(): Promise<void> {
    await orUnreachable(events.begin());
    await orUnreachable(jobs.add({ kind: "events_upkeep", key: "all", inMs: 60_000 }));
    await orUnreachable(jobs.add({ kind: "events.unread", key: "all" }));
  }

  const deliver = (id: string) =>
    orUnreachable(jobs.add({ kind: "webhook", key: id, args: { id } }));

  function wrongTypes(types: readonly string[], source: "query" | "body") {
    const unknown = unknownPattern(types);
    return unknown === undefined
      ? null
      : badField(source, "types", `names ${unknown}, which no event has`);
  }

  async function wrongUrl(url: string) {
    const problem = await probe.problemOf(url);
    return problem === null ? null : badField("body", "url", problem);
  }

  const handlers: Handlers<Route> = {
    async pullEvents({ caller, query }) {
      if (config.events === "off") return OFF;
      const { after = "now", types = null, keys = null, wait_s = 0 } = query;
      const wrong = types === null ? null : wrongTypes(types, "query");
      if (wrong !== null) return wrong;
      const from = await placeIn(after, "query");
      if (!from.ok) return from;
      await orUnreachable(events.pulled(types?.some(isPresenceType) ?? false));
      const meant = types === null ? null : meantBy(caller, types);
      const page = await orUnreachable(
        pulls.pull(from.value, { types: meant, keys }, wait_s * 1000),
      );
      if (page === null) return gone((await orUnreachable(events.state())).oldest);
      return answered(200, ok({ items: page.events, cursor: cursorOf(page.next) }));
    },

    async createWebhook({ caller, body: { url, types, batch = false } }) {
      if (config.events === "off") return OFF;
      const wrong = wrongTypes(types, "body") ?? (await wrongUrl(url));
      if (wrong !== null) return wrong;
      if (!(await orUnreachable(events.state())).isOn) await begun();
      const secret = probe.newSecret();
      const made = await orUnreachable(
        webhooks.create({
          url,
          types: meantBy(caller, types),
          isBatch: batch,
          secret,
          madeBy: subjectOf(caller),
        }),
      );
      if (made === null) return TOO_MANY;
      // Where the last webhook went at the same moment, the log may have ended.
      if (!(await orUnreachable(events.state())).isOn) await begun();
      await deliver(made.id);
      return answered(201, ok({ ...shownOf(made), secret }));
    },

    async listWebhooks() {
      return answered(200, ok({ items: (await orUnreachable(webhooks.list())).map(shownOf) }));
    },

    async getWebhook({ params }) {
      const found = await orUnreachable(webhooks.webhook(params.id));
      return found === null ? NO_WEBHOOK : answered(200, ok(shownOf(found)));
    },

    async updateWebhook({ caller, params, body }) {
      const { url, types, batch, enabled, rotate_secret } = body;
      if (Object.keys(body).length === 0) return NO_CHANGE;
      const before = await orUnreachable(webhooks.webhook(params.id));
      if (before === null) return NO_WEBHOOK;
      const wrong =
        (types === undefined ? null : wrongTypes(types, "body")) ??
        (url === undefined ? null : await wrongUrl(url));
      if (wrong !== null) return wrong;
      if (enabled === true && config.events === "off") return OFF;
      const secret = rotate_secret === true ? probe.newSecret() : undefined;
      // A service that names the address, or learns the secret, receives what its own scopes allow.
      const isTaken = types !== undefined || url !== undefined || secret !== undefined;
      const changed = await orUnreachable(
        webhooks.change(params.id, {
          ...(url !== undefined && { url }),
          ...(isTaken && { types: meantBy(caller, withoutHidden(types ?? before.types)) }),
          ...(batch !== undefined && { isBatch: batch }),
          ...(enabled !== undefined && { isEnabled: enabled }),
          ...(secret !== undefined && { secret }),
        }),
      );
      if (changed === null) return NO_WEBHOOK;
      if (changed.enabled) await deliver(changed.id);
      return answered(200, ok({ ...shownOf(changed), ...(secret !== undefined && { secret }) }));
    },

    async deleteWebhook({ params }) {
      const isGone = await orUnreachable(webhooks.remove(params.id));
      return isGone ? answered(204, ok(null)) : NO_WEBHOOK;
    },

    async testWebhook({ params }) {
      const target = await orUnreachable(webhooks.target(params.id));
      if (target === null) return NO_WEBHOOK;
      return answered(200, ok(await probe.test(params.id, target)));
    },

    async replayWebhook({ params, body }) {
      if (config.events === "off") return OFF;
      if ((await orUnreachable(webhooks.webhook(params.id))) === null) return NO_WEBHOOK;
      const from = await placeIn(body.after, "body");
      if (!from.ok) return from;
      if (!(await orUnreachable(webhooks.replay(params.id, from.value)))) return NO_WEBHOOK;
      await deliver(params.id);
      return answered(204, ok(null));
    },

    async unparkWebhook({ params, body }) {
      const unparked = await orUnreachable(webhooks.unpark(params.id, body.key ?? null));
      if (unparked === null) return NO_WEBHOOK;
      await deliver(params.id);
      return answered(200, ok({ unparked }));
    },
  };
  return { handlers, pulls };
}

/** [EVP1] */
function meantBy({ scope }: Identity, types: readonly string[]): string[] {
  return scope.includes("presence") ? withHidden(types) : [...types];
}

function shownOf(webhook: Webhook): Webhook {
  return { ...webhook, types: withoutHidden(webhook.types) };
}

function subjectOf({ service }: Identity): string {
  return service?.subject ?? "";
}
