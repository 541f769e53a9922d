/** The page's own signs; what the kit draws too is the kit's. */
import type { ReactElement } from "react";

const PATHS = {
  close: "M6 6l12 12M18 6L6 18",
  comment:
    "M12 4.5c-5 0-8.5 3-8.5 7 0 2.2 1.1 4.1 2.9 5.4L5.5 20.5l4.3-2.2c.7.1 1.4.2 2.2.2 5 0 8.5-3 8.5-7s-3.5-7-8.5-7z",
  compose:
    "M12 5H7a3 3 0 0 0-3 3v9a3 3 0 0 0 3 3h9a3 3 0 0 0 3-3v-5M10 14l1-3.5L18.5 3 21 5.5 13.5 13z",
  feed: "M5 5h14v5H5zM5 14h14M5 18.5h9",
  reload: "M19.5 12a7.5 7.5 0 1 1-2.4-5.5M19.5 3.5v4h-4",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M13 4.5v5M7 14.5v5",
  talks: "M20 5H4v11h4v3.5l4.5-3.5H20z",
  up: "M12 19V5M6 11l6-6 6 6",
} as const;

/** Silent to screen readers: whoever shows it says what it means. */
export function Sign({ name }: { name: keyof typeof PATHS }): ReactElement {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
