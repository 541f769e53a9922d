/** The text of a message with its marks, links and the names that it mentions. Never read as HTML. */
import type { ReactElement } from "react";
import type { Message } from "../../protocol/schemas.ts";
import { useMe } from "../react.ts";
import { type Block, blocksOf, type Span } from "./markdown.ts";
import { useUsers } from "./titles.tsx";
import { splitMentions } from "./words.ts";

type Shown = Pick<Message, "body" | "mentions" | "mention_all">;

export function Body({ message }: { message: Shown }): ReactElement {
  return message.mentions === undefined && message.mention_all === undefined ? (
    <Text text={message.body} />
  ) : (
    <Mentioning message={message} />
  );
}

/** The usernames that a text may mention, and that of its reader. */
interface Named {
  names: ReadonlySet<string>;
  me: string | undefined;
}
const NOBODY_NAMED: Named = { names: new Set(), me: undefined };
const NOBODY: readonly string[] = [];

/** A text with its marks and links. */
export function Text({
  text,
  named = NOBODY_NAMED,
}: {
  text: string;
  named?: Named;
}): ReactElement {
  return (
    <>
      {blocksOf(text).map((block, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a text's parts have only their place
        <OneBlock key={at} block={block} named={named} />
      ))}
    </>
  );
}

function OneBlock({ block, named }: { block: Block; named: Named }): ReactElement {
  switch (block.is) {
    case "text":
      return <Spans spans={block.spans} named={named} />;
    case "code":
      return (
        <code className="troupe-code-block" dir="ltr">
          {block.text}
        </code>
      );
    case "quote":
      return (
        <span className="troupe-quoted">
          <Spans spans={block.spans} named={named} />
        </span>
      );
  }
}

interface SpansProps {
  spans: readonly Span[];
  named: Named;
}

function Spans({ spans, named }: SpansProps): ReactElement {
  return (
    <>
      {spans.map((span, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a text's parts have only their place
        <OneSpan key={at} span={span} named={named} />
      ))}
    </>
  );
}

function OneSpan({ span, named }: { span: Span; named: Named }): ReactElement {
  switch (span.is) {
    case "text":
      return <Words text={span.text} named={named} />;
    case "code":
      return (
        <code className="troupe-code" dir="ltr">
          {span.text}
        </code>
      );
    case "link":
      return (
        <a href={span.href} target="_blank" rel="noopener noreferrer nofollow">
          <Spans spans={span.spans} named={NOBODY_NAMED} />
        </a>
      );
    case "strong":
    case "em":
    case "del": {
      const Tag = span.is;
      return (
        <Tag>
          <Spans spans={span.spans} named={named} />
        </Tag>
      );
    }
  }
}

function Words({ text, named: { names, me } }: { text: string; named: Named }): ReactElement {
  if (names.size === 0) return <>{text}</>;
  return (
    <>
      {splitMentions(text, names).map(({ text: words, name }, at) =>
        name === null ? (
          words
        ) : (
          <strong
            // biome-ignore lint/suspicious/noArrayIndexKey: a text's parts have only their place
            key={at}
            className="troupe-mention"
            data-me={name === me || name === "all" || undefined}
          >
            {words}
          </strong>
        ),
      )}
    </>
  );
}

/** Only the names of members whom the server has found in it are marked. */
function Mentioning({ message }: { message: Shown }): ReactElement {
  const me = useMe()?.username;
  const users = useUsers(message.mentions ?? NOBODY);
  const names = new Set([...users.values()].flatMap((user) => user?.username ?? []));
  if (message.mention_all) names.add("all");
  return <Text text={message.body} named={{ names, me }} />;
}
