/** The settings' switch for pushes to this browser. */
import { type ReactElement, useEffect, useState } from "react";
import type { PushState } from "../../client/push.ts";
import { useTroupe } from "../../client/react.ts";
import { answerOf } from "./http.ts";
import { pushHere } from "./push.ts";
import { Section } from "./setting-section.tsx";

const WORDS: Record<PushState, string> = {
  unsupported: "This browser cannot be told of messages while the page is closed.",
  denied: "Notifications are blocked for this site: allow them in the browser's settings first.",
  off: "Be told of messages while the page is closed.",
  on: "This browser is told of messages while the page is closed.",
};

export function PushSetting(): ReactElement {
  const client = useTroupe();
  const [state, setState] = useState<PushState | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");

  useEffect(() => {
    let isShown = true;
    void answerOf(pushHere(client).state()).then((answer) => {
      if (isShown && answer.ok) setState(answer.value);
    });
    return () => {
      isShown = false;
    };
  }, [client]);

  const turn = async (): Promise<void> => {
    setBusy(true);
    setProblem("");
    try {
      const push = pushHere(client);
      setState(await (state === "on" ? push.turnOff() : push.turnOn()));
    } catch (error) {
      // The server has refused it, or the browser's own push service.
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Section title="Notifications">
      <p>{state === null ? "" : WORDS[state]}</p>
      <button
        type="button"
        role="switch"
        className="button-quiet push-switch"
        aria-checked={state === "on"}
        disabled={isBusy || state === null || state === "unsupported"}
        onClick={() => void turn()}
      >
        {state === "on" ? "Turn off" : "Turn on"}
      </button>
      <p className="form-problem" role="alert">
        {problem}
      </p>
    </Section>
  );
}
