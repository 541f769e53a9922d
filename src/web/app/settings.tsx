/**
 * The dialog behind one's own picture, a section for each matter: profile, status, looks, and the way
 * out.
 */
import { type FormEvent, type ReactElement, useState } from "react";
import type { ShownStatus } from "../../client/presence.ts";
import { useMe, useTroupe } from "../../client/react.ts";
import { usePage } from "./context.ts";
import { Dialog } from "./dialog.tsx";
import { answerOf } from "./http.ts";
import { setLook, useLook } from "./look.ts";
import { PushSetting } from "./push-setting.tsx";
import { Section } from "./setting-section.tsx";
import { useStore } from "./store.ts";

export interface SettingsProps {
  onSignOut(): void;
  onClose(): void;
}

export function Settings({ onSignOut, onClose }: SettingsProps): ReactElement {
  return (
    <Dialog title="You" className="settings" onClose={onClose}>
      <Profile />
      <OwnStatus />
      <PushSetting />
      <Looks />
      <button type="button" className="button-quiet sign-out" onClick={onSignOut}>
        Sign out
      </button>
    </Dialog>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  options: readonly (readonly [T, string])[];
  chosen: T;
  onChoose(value: T): void;
}

function Choice<T extends string>(props: ChoiceProps<T>): ReactElement {
  const { label, options, chosen, onChoose } = props;
  return (
    <fieldset className="choice" aria-label={label}>
      {options.map(([value, words]) => (
        <button
          key={value}
          type="button"
          aria-pressed={value === chosen}
          onClick={() => onChoose(value)}
        >
          {words}
        </button>
      ))}
    </fieldset>
  );
}

function Profile(): ReactElement {
  const client = useTroupe();
  const session = usePage();
  const me = useMe() ?? session.me;
  const [name, setName] = useState(me.display_name);
  const [problem, setProblem] = useState("");
  const save = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const answer = await answerOf(client.api("PATCH /api/me", { display_name: name.trim() }));
    setProblem(answer.ok ? "" : answer.error.message);
    if (!answer.ok) return;
    client.take((state) => ({ ...state, me: answer.value }));
    session.toasts.show("Your name is changed.");
  };
  return (
    <Section title={`@${me.username}`}>
      <form className="find" noValidate onSubmit={(event) => void save(event)}>
        <input
          aria-label="Your name, as others see it"
          autoComplete="name"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <button type="submit" className="button-quiet" disabled={name.trim() === me.display_name}>
          Save
        </button>
      </form>
      <p className="form-problem" role="alert">
        {problem}
      </p>
    </Section>
  );
}

const STATUSES: readonly (readonly [ShownStatus, string])[] = [
  ["online", "Online"],
  ["away", "Away"],
  ["invisible", "Invisible"],
];

function OwnStatus(): ReactElement {
  const { status } = usePage();
  return (
    <Section title="Status">
      <Choice
        label="Status"
        options={STATUSES}
        chosen={useStore(status.chosen)}
        onChoose={status.choose}
      />
    </Section>
  );
}

function Looks(): ReactElement {
  const { theme, density } = useLook();
  return (
    <Section title="Looks">
      <Choice
        label="Colours"
        options={[
          ["system", "System"],
          ["light", "Light"],
          ["dark", "Dark"],
        ]}
        chosen={theme}
        onChoose={(chosen) => setLook({ theme: chosen })}
      />
      <Choice
        label="Density"
        options={[
          ["comfortable", "Comfortable"],
          ["compact", "Compact"],
        ]}
        chosen={density}
        onChoose={(chosen) => setLook({ density: chosen })}
      />
    </Section>
  );
}
