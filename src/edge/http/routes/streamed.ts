/** Pages of messages of which some are being streamed: storage has their text as of a checkpoint. */
import { JsonText } from "../../../protocol/json-text.ts";
import { asConversationId, asUserId, type Message } from "../../../protocol/schemas.ts";
import type { Gateway } from "../../../runtime/gateway.ts";

type Page = JsonText<{ items: Message[]; has_more: boolean }>;

/** As PostgreSQL and JavaScript write it. A page without it is passed on as it is. */
const OPEN = /"stream": ?\{"state": ?"open"/;

/** The page with all text that was appended, where the conversation's actor answers now. */
export async function streamed(
  gateway: Pick<Gateway, "ask">,
  user: string,
  conversation: string,
  page: Page,
): Promise<Page> {
  if (!OPEN.test(page.text)) return page;
  const answer = await gateway.ask("conversation", asConversationId(conversation), "streams", {
    user: asUserId(user),
    session: "",
  });
  if (!answer.ok) return page;
  const texts = new Map(answer.value.streams.map(({ seq, text }) => [seq, text]));
  const { items, ...rest } = page.value();
  const shown = items.map((message) => {
    const text = texts.get(message.seq);
    return text === undefined ? message : { ...message, body: text };
  });
  return JsonText.of({ items: shown, ...rest });
}
