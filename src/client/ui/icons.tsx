/** The kit's few signs, drawn with the text's colour. */
import type { ReactElement } from "react";

const PATHS = {
  send: "M4 12 20 4l-6 16-3-7-7-1Z",
  back: "M15 5l-7 7 7 7",
  down: "M6 10l6 6 6-6",
  reply: "M10 7 4 12l6 5v-3c5 0 8 1 10 4 0-6-4-9-10-9V7Z",
  edit: "M5 19h3L19 8l-3-3L5 16v3Z",
  remove: "M6 8h12M10 8V5h4v3M8 8l1 11h6l1-11",
  copy: "M9 9h10v10H9zM5 15V5h10",
  close: "M6 6l12 12M18 6 6 18",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): ReactElement {
  return (
    <svg
      className={`troupe-icon troupe-icon-${name}`}
      viewBox="0 0 24 24"
      width="20"
      height="20"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
