/**
 * A link on the loopback that TCP passes through, one between each host and a server, so that one
 * host's link can be cut or frozen while the others' stays whole.
 * open: bytes pass · cut: connections are reset, new ones refused · frozen: connections stay
 * and are accepted, and nothing passes.
 */
import { createServer, connect as dial, type Server, type Socket } from "node:net";

export type LinkState = "open" | "cut" | "frozen";

export interface LinkTarget {
  host: string;
  port: number;
}

interface Pair {
  near: Socket;
  far: Socket;
}

export class Link {
  readonly #target: LinkTarget;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #state: LinkState = "open";

  private constructor(target: LinkTarget) {
    this.#target = target;
    this.#server = createServer({ noDelay: true }, (near) => this.#accept(near));
  }

  static async start(target: LinkTarget): Promise<Link> {
    const link = new Link(target);
    await new Promise<void>((done, failed) => {
      link.#server.once("error", failed);
      link.#server.listen(0, "127.0.0.1", done);
    });
    return link;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the link is closed");
    return address.port;
  }

  set(state: LinkState): void {
    this.#state = state;
    if (state === "cut") this.#cutAll();
    for (const { near, far } of this.#pairs) {
      if (state === "frozen") {
        near.pause();
        far.pause();
      } else {
        near.resume();
        far.resume();
      }
    }
  }

  async close(): Promise<void> {
    this.#state = "cut";
    this.#cutAll();
    await new Promise((done) => this.#server.close(done));
  }

  #accept(near: Socket): void {
    near.on("error", () => near.destroy());
    if (this.#state === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = dial({ ...this.#target, noDelay: true });
    const pair: Pair = { near, far };
    this.#pairs.add(pair);
    const ended = () => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    far.on("error", ended).on("close", ended);
    near.on("close", ended);
    pass(near, far);
    pass(far, near);
    if (this.#state === "frozen") {
      near.pause();
      far.pause();
    }
  }

  #cutAll(): void {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    this.#pairs.clear();
  }
}

/** Not `pipe`: its own pausing and resuming would thaw a frozen link. */
function pass(from: Socket, to: Socket): void {
  from.on("data", (chunk) => to.write(chunk));
  from.on("end", () => to.end());
}
