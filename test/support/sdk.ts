/** Clients of the SDK in tests against a real Troupe, and waiting for what they show. */
import type { Client } from "../../src/client/client.ts";
import { type ConnectOptions, connect, type Readable } from "../../src/client/index.ts";
import type { ConversationView } from "../../src/client/views.ts";
import type { Troupe } from "./cluster.ts";
import type { Person } from "./person.ts";

const DEADLINE_MS = 15_000;

/** Resolves with the first value that holds; says what was there instead, when none came. */
export function until<T>(
  what: string,
  source: Readable<T>,
  holds: (value: T) => boolean,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let unsubscribe = (): void => undefined;
    const look = (): boolean => {
      const value = source.get();
      if (!holds(value)) return false;
      clearTimeout(timer);
      unsubscribe();
      resolve(value);
      return true;
    };
    const timer = setTimeout(() => {
      unsubscribe();
      const last = JSON.stringify(source.get())?.slice(0, 1_000);
      reject(new Error(`not within ${deadlineMs} ms: ${what}; there is ${last}`));
    }, deadlineMs);
    if (!look()) unsubscribe = source.subscribe(look);
  });
}

/** One person's client, with the words that tests need. */
export class SdkUser {
  readonly client: Client;
  readonly person: Person;
  readonly #clients: Set<SdkUser>;

  constructor(clients: Set<SdkUser>, person: Person, options: Partial<ConnectOptions>) {
    this.#clients = clients;
    this.person = person;
    const { url } = person.troupe;
    // Without other credentials the client uses the person's token.
    const credentials = "getToken" in options ? {} : { getToken: () => person.token };
    this.client = connect({ url, ...credentials, ...options } as ConnectOptions);
    clients.add(this);
  }

  get id(): string {
    return this.person.id;
  }

  get sessionId(): string | null {
    const connection = this.client.connection.get();
    return connection.is === "online" ? connection.sessionId : null;
  }

  isOnline(deadlineMs?: number): Promise<unknown> {
    const { connection } = this.client;
    return until(
      `${this.person.user.username} is online`,
      connection,
      ({ is }) => is === "online",
      deadlineMs,
    );
  }

  isAway(): Promise<unknown> {
    const { connection } = this.client;
    return until(`${this.person.user.username} is away`, connection, ({ is }) => is !== "online");
  }

  sees(
    what: string,
    conversationId: string,
    holds: (view: ConversationView) => boolean,
    deadlineMs?: number,
  ): Promise<ConversationView | null> {
    const name = this.person.user.username;
    const source = this.client.conversation(conversationId);
    return until(
      `${name} sees ${what}`,
      source,
      (view) => view !== null && holds(view),
      deadlineMs,
    );
  }

  bodies(conversationId: string): string[] {
    const view = this.client.conversation(conversationId).get();
    return (view?.messages ?? []).map(({ body }) => body);
  }

  closes(): void {
    this.client.close();
    this.#clients.delete(this);
  }
}

/** Makes clients, and closes those that a test leaves open. */
export class SdkClients {
  readonly #open = new Set<SdkUser>();

  of(person: Person, options: Partial<ConnectOptions> = {}): SdkUser {
    return new SdkUser(this.#open, person, options);
  }

  async pair(
    troupe: Troupe,
    options: Partial<ConnectOptions> = {},
  ): Promise<{ ann: SdkUser; bob: SdkUser; id: string }> {
    const [ann, bob] = await troupe.users("ann", "bob");
    const { id } = await ann!.startsDirect(bob!);
    const users = { ann: this.of(ann!, options), bob: this.of(bob!, options) };
    await Promise.all([users.ann.isOnline(), users.bob.isOnline()]);
    return { ...users, id };
  }

  closeAll(): void {
    for (const one of [...this.#open]) one.closes();
  }
}
