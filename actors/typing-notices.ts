/** Typing in one conversation as its members receive it; the rules are in typing.ts. */
import type { ConversationId } from "../src/protocol/ids.ts";
import type { Topic } from "../src/protocol/topics.ts";
import type { Context } from "./behaviour.ts";
import { stepTyping, type Typing, type TypingEvent } from "./typing.ts";

const TYPING_TIMER = "typing";

interface Typed {
  id: ConversationId;
  topic: Topic;
  typing: Typing;
}

/** Takes the event in, and publishes what changed by it. */
export function typingChanged(state: Typed, event: TypingEvent, ctx: Context): void {
  const { typing, notices, wakeInMs } = stepTyping(state.typing, event, ctx.monotonicMs);
  state.typing = typing;
  if (wakeInMs === null) ctx.cancel(TYPING_TIMER);
  else ctx.after(wakeInMs, TYPING_TIMER);
  for (const { user, isTyping } of notices) {
    ctx.publish(state.topic, {
      name: "typing",
      rev: 0,
      body: `{"conversation_id":"${state.id}","user_id":"${user}","is_typing":${isTyping}}`,
      except: user,
    });
  }
}
