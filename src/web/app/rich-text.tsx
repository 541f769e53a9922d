/** A text of the feed with its links and mentions. Never read as HTML. */
import type { ReactElement } from "react";
import { splitText } from "./wording.ts";

export function RichText({ text }: { text: string }): ReactElement {
  return (
    <>
      {splitText(text).map(({ text: words, href, isMention }, at) => {
        if (href !== null) {
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a text's parts have only their place
            <a key={at} href={href} target="_blank" rel="noopener noreferrer nofollow">
              {words}
            </a>
          );
        }
        return isMention ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: a text's parts have only their place
          <span key={at} className="mention">
            {words}
          </span>
        ) : (
          words
        );
      })}
    </>
  );
}
