/** Which behaviour runs which kind of actor. */
import type { ActorKind } from "../src/protocol/actor-ops.ts";
import { type AppRules, appBehaviour } from "./app.ts";
import type { Behaviour } from "./behaviour.ts";
import { type ConversationRules, conversationBehaviour } from "./conversation.ts";
import type { ActorPorts } from "./ports.ts";
import { postBehaviour } from "./post.ts";
import type { SocialPorts } from "./social-ports.ts";
import { type UserRules, userBehaviour } from "./user.ts";

export function behaviours(
  ports: ActorPorts & SocialPorts,
  rules: UserRules & ConversationRules & { apps?: AppRules["apps"] | null },
): Partial<Record<ActorKind, Behaviour>> {
  return {
    user: userBehaviour(ports, rules) as Behaviour,
    conversation: conversationBehaviour(ports, rules) as Behaviour,
    post: postBehaviour(ports) as Behaviour,
    ...(rules.apps && {
      app: appBehaviour(ports, { apps: rules.apps, graceMs: rules.graceMs }) as Behaviour,
    }),
  };
}
