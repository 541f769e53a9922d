/** Says that there is no connection, once that has lasted a moment; shows nothing while all is well. */
import { type ReactElement, useEffect, useState } from "react";
import { useConnection, useTroupe } from "../react.ts";
import { useShared } from "./frame.tsx";

/** A reconnect that is shorter than this is nobody's business. */
const PATIENCE_MS = 1_500;

export function ConnectionBanner(): ReactElement {
  const { parts } = useShared();
  const Part = parts.ConnectionBanner ?? OwnConnectionBanner;
  return <Part />;
}

function OwnConnectionBanner(): ReactElement | null {
  const client = useTroupe();
  const { texts } = useShared();
  const { is } = useConnection();
  const isDown = is === "waiting" || is === "connecting";
  const [isLong, setIsLong] = useState(false);
  useEffect(() => {
    if (!isDown) return setIsLong(false);
    const timer = setTimeout(() => setIsLong(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [isDown]);
  if (is !== "closed" && !(isDown && isLong)) return null;
  return (
    <div className="troupe-banner" role="status">
      <span>{is === "closed" ? texts.closed : texts.reconnecting}</span>
      <button type="button" onClick={() => client.retryNow()}>
        {texts.reconnect}
      </button>
    </div>
  );
}
