/**
 * `troupe/actor`: what an application's own files in ACTORS_DIR are written with. Nothing of the
 * server is in here, so that an editor and a test need none.
 */
import type { DefaultEventsMap, Namespace } from "socket.io";
import Type, { type Static, type TSchema } from "typebox";
import { DefinitionMistake } from "./mistake.ts";

export {
  type ActorDefinition,
  type ActorTypes,
  type Answer,
  type Caller,
  type CallerOfTurn,
  type Context,
  defineActor,
  type FetchRequest,
  type FetchResponse,
} from "./define-actor.ts";
export {
  type AskedAppend,
  type AskedConversation,
  type AskedEdit,
  type AskedMembers,
  type AskedMessage,
  type Asking,
  defineHooks,
  type HooksDefinition,
  type InProcessHooks,
} from "./define-hooks.ts";
export { DefinitionMistake, type Static, type TSchema, Type };

/** `socket.data` in a namespace. */
export interface NamespaceData {
  user: { id: string; username: string };
}

/** A namespace of Socket.IO whose sockets belong to users of Troupe. */
export type TroupeNamespace<
  ClientEvents extends DefaultEventsMap = DefaultEventsMap,
  ServerEvents extends DefaultEventsMap = DefaultEventsMap,
> = Namespace<ClientEvents, ServerEvents, DefaultEventsMap, NamespaceData>;

export interface NamespaceDefinition {
  readonly troupe: "namespace";
  readonly name: string;
  readonly setup: (namespace: TroupeNamespace) => void | Promise<void>;
  /** The stack of the definition, which tells its file and line. */
  readonly place: Error;
}

const NAME = /^\/[A-Za-z0-9_~./-]{1,63}$/;

/**
 * Defines a Socket.IO namespace, the default export of a `*.namespace.ts` or `*.namespace.js`.
 * `setup` is called once in every worker when it starts, with the namespace as Socket.IO has it:
 *
 *   export default defineNamespace("/game", (game) => {
 *     game.on("connection", (socket) => {
 *       socket.on("move", (move) => socket.broadcast.emit("move", socket.data.user.id, move));
 *     });
 *   });
 */
export function defineNamespace(
  name: string,
  setup: (namespace: TroupeNamespace) => void | Promise<void>,
): NamespaceDefinition {
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new DefinitionMistake(
      `defineNamespace: the name should be like "/game": a slash, then 1–63 of A-Z a-z 0-9 _ ~ . / -. Found ${JSON.stringify(name)}.`,
    );
  }
  if (typeof setup !== "function") {
    throw new DefinitionMistake(
      "defineNamespace: the second argument should be a function that takes the namespace.",
    );
  }
  return { troupe: "namespace", name, setup, place: new Error(name) };
}
