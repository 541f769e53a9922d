/** The text of a message with its links and the names that it mentions. Never read as HTML. */
import type { ReactElement } from "react";
import type { Message } from "../../protocol/schemas.ts";
import { useMe } from "../react.ts";
import { useUsers } from "./titles.tsx";
import { splitLinks, splitMentions } from "./words.ts";

type Shown = Pick<Message, "body" | "mentions" | "mention_all">;

export function Body({ message }: { message: Shown }): ReactElement {
  return message.mentions === undefined && message.mention_all === undefined ? (
    <Text text={message.body} />
  ) : (
    <Mentioning message={message} />
  );
}

/** A text with its links. */
export function Text({ text }: { text: string }): ReactElement {
  return (
    <>
      {splitLinks(text).map((part, at) =>
        part.href === null ? (
          part.text
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: a text's parts have only their place
          <a key={at} href={part.href} target="_blank" rel="noopener noreferrer nofollow">
            {part.text}
          </a>
        ),
      )}
    </>
  );
}

const NOBODY: readonly string[] = [];

/** Only the names of members whom the server has found in it are marked. */
function Mentioning({ message }: { message: Shown }): ReactElement {
  const me = useMe()?.username;
  const users = useUsers(message.mentions ?? NOBODY);
  const names = new Set([...users.values()].flatMap((user) => user?.username ?? []));
  if (message.mention_all) names.add("all");
  return (
    <>
      {splitMentions(message.body, names).map(({ text, name }, at) =>
        name === null ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: a text's parts have only their place
          <Text key={at} text={text} />
        ) : (
          <strong
            // biome-ignore lint/suspicious/noArrayIndexKey: a text's parts have only their place
            key={at}
            className="troupe-mention"
            data-me={name === me || name === "all" || undefined}
          >
            {text}
          </strong>
        ),
      )}
    </>
  );
}
