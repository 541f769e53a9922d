/**
 * `troupe-client/actors`: the application's own actors as a page sees them.
 *
 *   import type poll from "./poll.actor.ts";
 *   const lunch = actorOf<typeof poll>(client, { kind: "poll", apply }, "lunch");
 *   lunch.subscribe(() => draw(lunch.get()));
 *   await lunch.call("vote", { choice: 2 });
 *
 * An actor is watched at the server while somebody is subscribed to it, again in each session, from
 * the `rev` that is held: its events are applied in order, or a new view takes their place.
 *
 * [SDK103] A handle listens to its client only while somebody is subscribed to it, or its watch is
 *          still to be ended.
 */
import type { ClientAck } from "../protocol/events.ts";
import { isOnline, onOnline } from "./attached.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import { isPassing, TroupeError } from "./error.ts";
import type { ClientClock } from "./ports.ts";
import { createStore, type Readable } from "./store.ts";

/** The types that a definition has, as `defineActor` infers them. */
export interface ActorTypes {
  view: unknown;
  args: Record<string, unknown>;
  results: Record<string, unknown>;
  events: Record<string, unknown>;
}

/** What `typeof definition` of an actor has. */
export interface TypedActor<T extends ActorTypes = ActorTypes> {
  readonly types?: T;
}

export type TypesOf<D> = D extends TypedActor<infer T> ? T : ActorTypes;
type EventOf<T extends ActorTypes> = {
  [N in keyof T["events"] & string]: [view: T["view"], name: N, data: T["events"][N]];
}[keyof T["events"] & string];

/** The part of a definition that page and actor share. */
export interface SharedActor<T extends ActorTypes> {
  kind: string;
  apply(...event: EventOf<T>): T["view"];
}

export interface CallOptions {
  /** Names the call, so that a repeat runs no second turn; made up by default. */
  callId?: string;
}

/** The view, null until it is known or where there is no such actor. */
export interface ActorHandle<T extends ActorTypes> extends Readable<T["view"] | null> {
  /** Why it is watched no longer; null: it is, or was not yet. */
  closed(): string | null;
  /** Rejects with TroupeError. */
  call<N extends keyof T["args"] & string>(
    action: N,
    args?: T["args"][N],
    options?: CallOptions,
  ): Promise<N extends keyof T["results"] ? T["results"][N] : unknown>;
  /** Makes the actor. Rejects with TroupeError, `conflict` where it is there. */
  create(args: Record<string, unknown>, options?: CreateOptions): Promise<T["view"]>;
}

export interface CreateOptions extends CallOptions {
  /** The conversation to whose members it is bound. */
  conversationId?: string;
}

/** A watch that cannot be had now is asked for again after this time. */
const AGAIN_MS = 1_000;

type News = ClientAck<"watch_actor">;

export function actorOf<D extends TypedActor>(
  client: Client,
  { kind, apply }: SharedActor<TypesOf<D>>,
  key: string,
  clock: Pick<ClientClock, "after"> = systemClock,
): ActorHandle<TypesOf<D>> {
  type T = TypesOf<D>;
  const store = createStore<T["view"] | null>(null, (error) => console.error(error));
  const at = { kind, key };
  let rev: number | null = null;
  let closed: string | null = null;
  let listeners = 0;
  let sessions = 0;
  /** Whether the last request of this session was to watch it. */
  let isWatched = false;
  let isAsking = false;

  function take(event: { rev: number; name?: string; data?: unknown }): void {
    if (rev === null || event.rev <= rev) return;
    rev = event.rev;
    if (event.name === undefined) return;
    const applied = [store.get(), event.name, event.data] as unknown as EventOf<T>;
    store.set(apply(...applied));
  }

  function takeNews(news: News): void {
    if (news.events === undefined) {
      rev = news.rev;
      store.set(news.view as T["view"]);
    } else for (const event of news.events) take(event);
    closed = null;
  }

  /** Watches or unwatches, one at a time, until it is as the listeners want it. */
  async function settle(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    const mine = sessions;
    while (mine === sessions && isOnline(client) && isWatched !== listeners > 0) {
      try {
        if (listeners > 0) {
          isWatched = true;
          await client.ask(
            "watch_actor",
            { ...at, ...(rev !== null && { after_rev: rev }) },
            takeNews,
          );
        } else {
          isWatched = false;
          rev = null;
          await client.ask("unwatch_actor", at);
        }
      } catch (error) {
        if (!(error instanceof TroupeError)) throw error;
        if (mine !== sessions) return;
        isWatched = false;
        // Refused for good, the next session or `create` watches it.
        if (isPassing(error)) clock.after(error.retryAfterMs ?? AGAIN_MS, () => void settle());
        break;
      }
    }
    if (mine !== sessions) return;
    isAsking = false;
    leaveIfIdle();
  }

  const isThis = (event: { kind: string; key: string }) => event.kind === kind && event.key === key;
  /** Ends what listens to the client; null: nothing does. */
  let leave: (() => void) | null = null;

  function attach(): void {
    if (leave !== null) return;
    // Whatever was watched, it was in a session that may be over.
    isWatched = false;
    const ends = [
      client.on("actor_event", (event) => {
        if (isThis(event)) take(event);
      }),
      client.on("actor_closed", (event) => {
        if (!isThis(event)) return;
        closed = event.code;
        rev = null;
        isWatched = false;
        if (event.code === "restarted") void settle();
        else store.set(null);
      }),
      onOnline(client, () => {
        sessions++;
        isWatched = false;
        isAsking = false;
        void settle();
      }),
    ];
    leave = () => {
      for (const end of ends) end();
    };
  }

  /** [SDK103] A watch ends with its session. */
  function leaveIfIdle(): void {
    if (listeners > 0 || isAsking || (isWatched && isOnline(client))) return;
    leave?.();
    leave = null;
    rev = null;
  }

  return {
    get: store.get,
    closed: () => closed,
    subscribe(listener) {
      const end = store.subscribe(listener);
      listeners++;
      attach();
      void settle();
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        end();
        listeners--;
        void settle();
      };
    },
    async call(action, args, { callId = newCallId() } = {}) {
      const asked = { ...at, action, call_id: callId, ...(args && { args }) };
      const { result } = await client.ask("call", asked as never);
      return result as never;
    },
    async create(args, { callId = newCallId(), conversationId } = {}) {
      const { view } = await client.ask("create_actor", {
        ...at,
        args,
        call_id: callId,
        ...(conversationId !== undefined && { conversation_id: conversationId }),
      });
      void settle();
      return view as T["view"];
    },
  };
}

/** Unguessable is not needed; different in every page is. */
function newCallId(): string {
  return crypto.randomUUID();
}
