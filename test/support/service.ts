/** Another back end, which calls with a service token. */
import { systemClock } from "../../src/base/clock.ts";
import { mintServiceToken } from "../../src/edge/auth/service-token.ts";
import type { ServiceScope } from "../../src/protocol/route-spec.ts";
import type { Notification } from "../../src/protocol/social.ts";
import type { Troupe } from "./cluster.ts";
import { Api } from "./http.ts";
import { expectStatus, type Person } from "./person.ts";
import { JWT_SECRET } from "./tokens.ts";

const TTL_S = 600;

export function serviceTokenOf(
  secret: string,
  scopes: ServiceScope[],
  subject = "shop",
): Promise<string> {
  return mintServiceToken({
    secret,
    issuer: "troupe",
    audience: "troupe",
    subject,
    scopes,
    ttlS: TTL_S,
    wallMs: systemClock.wallMs(),
  });
}

export class Service {
  readonly api: Api;

  private constructor(api: Api) {
    this.api = api;
  }

  static async of(troupe: Troupe, ...scopes: ServiceScope[]): Promise<Service> {
    const token = await serviceTokenOf(JWT_SECRET, scopes);
    return new Service(new Api(troupe.url, () => token));
  }

  async notifies(
    person: Person,
    message: string,
    extra: { type?: string; data?: object } = {},
  ): Promise<Notification> {
    const body = { user_id: person.id, type: "order.shipped", message, ...extra };
    return expectStatus(await this.api.post<Notification>("/api/notifications", body), 201);
  }
}
