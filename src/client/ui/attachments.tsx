/** The files of a message: pictures, sound and films in place, everything else as a link. */
import { type ReactElement, useState } from "react";
import type { FileObject } from "../../protocol/files.ts";
import { attempt } from "../attached.ts";
import { wholeUrl } from "../files.ts";
import { useTroupe } from "../react.ts";
import { useShared } from "./frame.tsx";
import { Icon } from "./icons.tsx";
import type { AttachmentsProps } from "./parts.ts";

/** Pixels; larger pictures are shown smaller. */
const SIDE_MAX = 320;

/** Shows nothing while there are none. */
export function Attachments(props: AttachmentsProps): ReactElement | null {
  const { parts } = useShared();
  const Part = parts.Attachments ?? OwnAttachments;
  return props.message.attachments === undefined ? null : <Part {...props} />;
}

function OwnAttachments({ message }: AttachmentsProps): ReactElement {
  const { texts } = useShared();
  return (
    <ul className="troupe-attachments" aria-label={texts.attachments}>
      {(message.attachments ?? []).map((file) => (
        <li key={file.id}>
          <Attachment file={file} />
        </li>
      ))}
    </ul>
  );
}

function Attachment({ file: given }: { file: FileObject }): ReactElement {
  const client = useTroupe();
  const { texts, words } = useShared();
  const [fresh, setFresh] = useState<FileObject | null>(null);
  // The message's own word counts as soon as it is a newer one.
  const file = fresh !== null && fresh.state === given.state ? fresh : given;
  const url = wholeUrl(client, file.url);
  /** Addresses end after an hour or two; the file may still be seen. Once: then it is gone. */
  const renew = (): void => {
    if (fresh !== null) return;
    setFresh(given);
    void attempt(client.api("GET /api/files/:id", { id: given.id }).then(setFresh));
  };
  if (file.state === "ready" && file.kind === "image") {
    return (
      <a href={url} target="_blank" rel="noopener noreferrer">
        <img
          src={file.thumb_url === undefined ? url : wholeUrl(client, file.thumb_url)}
          alt={file.name}
          style={sizeOf(file)}
          onError={renew}
        />
      </a>
    );
  }
  if (file.state === "ready" && file.kind === "video") {
    // biome-ignore lint/a11y/useMediaCaption: whoever sent it has given none
    return <video src={url} controls preload="metadata" aria-label={file.name} onError={renew} />;
  }
  if (file.state === "ready" && file.kind === "audio") {
    // biome-ignore lint/a11y/useMediaCaption: whoever sent it has given none
    return <audio src={url} controls preload="none" aria-label={file.name} onError={renew} />;
  }
  const about =
    file.state === "ready"
      ? words.bytes(file.bytes)
      : file.state === "refused"
        ? texts.fileRefused
        : texts.fileProcessing;
  const inner = (
    <>
      <Icon name="file" />
      <bdi className="troupe-file-name">{file.name}</bdi>
      <span className="troupe-soft">{about}</span>
    </>
  );
  if (file.state !== "ready") return <span className="troupe-file">{inner}</span>;
  return (
    <a className="troupe-file" href={url} target="_blank" rel="noopener noreferrer">
      {inner}
    </a>
  );
}

interface Size {
  inlineSize: string;
  aspectRatio: string;
  objectFit: "cover" | "scale-down";
}

/** Its place is kept before it is loaded, so that nothing moves. */
function sizeOf({ width, height }: FileObject): Size {
  if (width === undefined || height === undefined) {
    return { inlineSize: `${SIDE_MAX}px`, aspectRatio: "4 / 3", objectFit: "scale-down" };
  }
  const scale = Math.min(1, SIDE_MAX / Math.max(width, height));
  return {
    inlineSize: `${Math.round(width * scale)}px`,
    aspectRatio: `${width} / ${height}`,
    objectFit: "cover",
  };
}
