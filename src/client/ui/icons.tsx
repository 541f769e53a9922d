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
  react: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18ZM9 10v.5M15 10v.5M8.5 14.5c2 2.4 5 2.4 7 0",
  thread: "M4 5h16v11H10l-4 4v-4H4zM8 9h8M8 12h5",
  pin: "M9 4h6l-1 6 3 3H7l3-3-1-6ZM12 13v7",
  members:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM3 20c0-7 12-7 12 0M15 4.5a3.5 3.5 0 0 1 0 6.2M17 14c3 .8 4 3 4 6",
  file: "M7 3h7l5 5v13H7zM14 3v5h5",
  attach:
    "M19 11l-7.5 7.5a4.6 4.6 0 0 1-6.5-6.5L13 4a3 3 0 0 1 4.3 4.3L9.5 16a1.5 1.5 0 0 1-2-2L14 7.5",
  more: "M12 6v.01M12 12v.01M12 18v.01",
  mute: "M5 10v4h3l5 4V6L8 10H5ZM16 10l5 5M21 10l-5 5",
  unread: "M4 6h16v12H4zM4 7l8 6 8-6",
  heart:
    "M12 20S4 15 4 9.3C4 6.7 5.9 5 8.1 5c1.6 0 3 .8 3.9 2.2C12.9 5.8 14.3 5 15.9 5 18.1 5 20 6.7 20 9.3 20 15 12 20 12 20z",
  person: "M12 4.5a4 4 0 1 0 0 8 4 4 0 1 0 0-8zM4.5 20c.7-3.6 3.7-5.5 7.5-5.5s6.8 1.9 7.5 5.5",
  at: "M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7zM15.5 8.5v4.8c0 1.7 1 2.7 2.4 2.7 1.6 0 2.6-1.5 2.6-4a8.5 8.5 0 1 0-3.6 7",
  bell: "M6 10a6 6 0 0 1 12 0c0 4.5 1.5 5.6 2 6.5H4c.5-.9 2-2 2-6.5zM10 19.5c.4.9 1.1 1.3 2 1.3s1.6-.4 2-1.3",
  leave: "M10 4H7a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h3M15 8l4 4-4 4M19 12H10",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 1 0 0-12zM15 15l5 5",
  archive: "M4 5h16v4H4zM5 9v10h14V9M10 13h4",
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
