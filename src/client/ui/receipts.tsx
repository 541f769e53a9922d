/** How far an own message has come, as ticks with their word. */
import type { ReactElement } from "react";
import { useShared } from "./frame.tsx";
import type { ReceiptsProps } from "./parts.ts";

export function Receipts(props: ReceiptsProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Receipts ?? OwnReceipts;
  return <Part {...props} />;
}

function OwnReceipts({ progress }: ReceiptsProps): ReactElement {
  const { texts } = useShared();
  return (
    <svg
      className="troupe-receipts"
      data-progress={progress}
      viewBox="0 0 20 12"
      width="20"
      height="12"
      role="img"
      aria-label={texts[progress]}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={progress === "sent" ? "M5 6l4 4 7-8" : "M2 6l4 4 7-8M10 10l7-8"} />
    </svg>
  );
}
