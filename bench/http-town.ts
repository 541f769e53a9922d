/**
 * A town in a server elsewhere, made over its HTTP API as anybody would. Registering costs the
 * server a password hash each (about 50 ms), so it takes a while for thousands.
 */
import { StartRefusal } from "../src/base/errors.ts";
import type { Resident, Town } from "./town.ts";

const AT_ONCE = 8;
const DEADLINE_MS = 30_000;

export class HttpTown implements Town {
  readonly #url: string;
  readonly #run = Date.now().toString(36);
  #made = 0;

  constructor(url: string) {
    this.#url = url;
  }

  people(count: number): Promise<Resident[]> {
    return inTurn(Array.from({ length: count }), async () => {
      const username = `bench_${this.#run}_${++this.#made}`;
      const password = `password of ${username}`;
      const answer = await this.#post<{ user: { id: string }; access_token: string }>(
        "/api/auth/register",
        { username, password },
      );
      return { id: answer.user.id, token: answer.access_token };
    });
  }

  conversations(memberLists: readonly (readonly Resident[])[]): Promise<string[]> {
    return inTurn(memberLists, async ([owner, ...others]) => {
      const title = others.length === 1 ? {} : { title: "A group of the bench" };
      const body = { member_ids: others.map(({ id }) => id), ...title };
      return (await this.#post<{ id: string }>("/api/conversations", body, owner)).id;
    });
  }

  async channel(owner: Resident): Promise<string> {
    const body = { kind: "channel", title: "A channel of the bench", audience: "anyone" };
    return (await this.#post<{ id: string }>("/api/conversations", body, owner)).id;
  }

  async messages(
    ids: readonly string[],
    senders: readonly Resident[],
    each: number,
  ): Promise<void> {
    await inTurn(ids, async (id, i) => {
      for (let n = 1; n <= each; n++) {
        const body = { client_id: `seed_${n}`, body: `A message of the bench, number ${n}` };
        await this.#post(`/api/conversations/${id}/messages`, body, senders[i]);
      }
    });
  }

  posts(authors: readonly Resident[]): Promise<string[]> {
    return inTurn(authors, async (author) => {
      const body = { body: "A post of the bench" };
      return (await this.#post<{ id: string }>("/api/posts", body, author)).id;
    });
  }

  async follows(pairs: readonly (readonly [Resident, Resident])[]): Promise<void> {
    await inTurn(pairs, ([one, other]) => this.#post(`/api/users/${other.id}/follow`, {}, one));
  }

  async settle(): Promise<void> {
    // Its database is its owner's.
  }

  async #post<T>(path: string, body: object, who?: Resident): Promise<T> {
    const isEmpty = Object.keys(body).length === 0;
    const answer = await fetch(this.#url + path, {
      method: "POST",
      headers: {
        ...(isEmpty ? {} : { "content-type": "application/json" }),
        ...(who === undefined ? {} : { authorization: `Bearer ${who.token}` }),
      },
      body: isEmpty ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (answer.ok) return (await answer.json()) as T;
    const said = (await answer.text()).slice(0, 200);
    if (answer.status === 429) {
      throw new StartRefusal(
        `${this.#url} limits how fast one address may call (${said}): start it with RATE_LIMITS=off for a load test.`,
      );
    }
    throw new StartRefusal(`${this.#url}${path} answered ${answer.status}: ${said}`);
  }
}

/** In order; a few at once. */
async function inTurn<In, Out>(
  items: readonly In[],
  work: (item: In, index: number) => Promise<Out>,
): Promise<Out[]> {
  const found: Out[] = new Array(items.length);
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < items.length; i = next++) found[i] = await work(items[i]!, i);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, lane));
  return found;
}
