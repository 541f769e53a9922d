/**
 * What this host says to the others: the names of the channels, and messages sealed for them and
 * numbered. Used by the relay.
 */
import type { Bus } from "./bus.ts";
import { KIND, type Kind, sealedEnvelope } from "./envelope.ts";
import type { ClusterIdentity } from "./seal.ts";

export class Voice {
  readonly #bus: Pick<Bus, "publish">;
  readonly #host: string;
  readonly #identity: ClusterIdentity;
  /** One count for all channels, so that it rises on each of them. */
  #lastNumber = 0;

  constructor({ bus, host, identity }: { bus: Bus; host: string; identity: ClusterIdentity }) {
    this.#bus = bus;
    this.#host = host;
    this.#identity = identity;
  }

  nextNumber(): number {
    return ++this.#lastNumber;
  }

  /**
   * No braces: as hash tags they would put the channels of all topics into one slot of a Redis
   * Cluster, and so onto one node. [RLY10]
   */
  channelOf(topic: string): string {
    return `troupe:${this.#identity.id}:${topic}`;
  }

  hostChannel(host: string): string {
    return this.channelOf(`host:${host}`);
  }

  /** The channel on which a new number is announced; hosts also read the lease a little later. */
  get newsChannel(): string {
    return this.channelOf("news");
  }

  say(channel: string, kind: Kind, number: number, frames: readonly Uint8Array[]): Promise<number> {
    const head = { host: this.#host, kind, number };
    return this.#bus.publish(channel, sealedEnvelope(this.#identity.key, channel, head, frames));
  }

  sayNews(): Promise<number> {
    return this.say(this.newsChannel, KIND.news, this.nextNumber(), []);
  }
}
