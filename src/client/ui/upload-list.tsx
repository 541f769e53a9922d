/** Above the field: the files that go with the message, with how far each has come. */
import type { ReactElement } from "react";
import { useShared } from "./frame.tsx";
import { Icon } from "./icons.tsx";
import { FILES_MAX, type Uploading, type Uploads } from "./uploads.ts";

export function UploadList({ uploads }: { uploads: Uploads }): ReactElement | null {
  const { texts } = useShared();
  if (uploads.items.length === 0) return null;
  return (
    <div className="troupe-uploads">
      <ul aria-label={texts.attachments}>
        {uploads.items.map((item) => (
          <li
            key={item.key}
            className="troupe-file"
            data-problem={item.problem !== null || undefined}
          >
            <Icon name="file" />
            <bdi className="troupe-file-name">{item.name}</bdi>
            <State item={item} />
            <button
              type="button"
              aria-label={texts.removeFile(item.name)}
              onClick={() => uploads.remove(item.key)}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      {uploads.isFull && <p role="alert">{texts.tooManyFiles(FILES_MAX)}</p>}
    </div>
  );
}

function State({ item }: { item: Uploading }): ReactElement {
  const { texts, words } = useShared();
  const { file, problem, progress, name } = item;
  if (problem !== null) {
    const isLarge = problem.code === "payload_too_large";
    return (
      <span className="troupe-problem" role="alert">
        {isLarge ? texts.fileTooLarge : problem.message}
      </span>
    );
  }
  if (file !== null) return <span className="troupe-soft">{words.bytes(file.bytes)}</span>;
  const percent = Math.round(progress * 100);
  return (
    <>
      <progress max={100} value={percent} aria-label={name} />
      <span className="troupe-soft">{texts.uploaded(percent)}</span>
    </>
  );
}
