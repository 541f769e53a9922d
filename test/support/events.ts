/** A back end that pulls the event log. */
import type { OutsideEvent } from "../../src/protocol/outside-events.ts";
import type { Troupe } from "./cluster.ts";
import { Api } from "./http.ts";
import { expectStatus } from "./person.ts";
import { serviceTokenOf } from "./service.ts";
import { JWT_SECRET } from "./tokens.ts";

export interface Pulled {
  items: OutsideEvent[];
  cursor: string;
}

export class EventReader {
  readonly api: Api;
  #cursor: string;

  private constructor(api: Api, cursor: string) {
    this.api = api;
    this.#cursor = cursor;
  }

  /** Begins at the end of the log. */
  static async of(troupe: Troupe, after = "now"): Promise<EventReader> {
    const token = await serviceTokenOf(JWT_SECRET, ["events"]);
    const api = new Api(troupe.url, () => token);
    const first = expectStatus(await api.get<Pulled>(`/api/events?after=${after}`), 200);
    return new EventReader(api, first.cursor);
  }

  get cursor(): string {
    return this.#cursor;
  }

  async pulls(query = ""): Promise<OutsideEvent[]> {
    const path = `/api/events?after=${this.#cursor}${query}`;
    const { items, cursor } = expectStatus(await this.api.get<Pulled>(path), 200);
    this.#cursor = cursor;
    return items;
  }

  /** Everything up to now, and what comes within a moment: likes are gathered for a second. */
  async pullsAll(query = ""): Promise<OutsideEvent[]> {
    const all: OutsideEvent[] = [];
    for (;;) {
      const items = await this.pulls(`${query}&wait_s=2`);
      if (items.length === 0) return all;
      all.push(...items);
    }
  }
}
