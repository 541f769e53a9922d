/** A field for somebody's exact username, and the person whom it names. */
import { type FormEvent, type ReactElement, useEffect, useRef, useState } from "react";
import { TroupeError } from "../../client/index.ts";
import { useTroupe } from "../../client/react.ts";
import type { User } from "../../protocol/schemas.ts";

const USERNAME = /^[a-z0-9_.]{3,32}$/;

export interface UsernameFieldProps {
  id: string;
  action: string;
  /** Says why the person cannot be taken; null: they were. */
  onFound(user: User): string | null;
  /** Enter in an empty field. */
  onEmpty?(): void;
}

export function UsernameField(props: UsernameFieldProps): ReactElement {
  const { id, action, onFound, onEmpty } = props;
  const client = useTroupe();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  useEffect(() => input.current?.focus(), []);

  const find = async (username: string): Promise<string> => {
    if (!USERNAME.test(username)) return "Enter a username: 3–32 letters, digits, . or _";
    try {
      const wrong = onFound(await client.api("GET /api/users", { username }));
      if (wrong === null) setText("");
      return wrong ?? "";
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      return error.code === "not_found" ? `Nobody is called ${username}.` : error.message;
    }
  };
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const username = text.trim().replace(/^@/, "").toLowerCase();
    if (isBusy) return;
    if (username === "" && onEmpty !== undefined) return onEmpty();
    setBusy(true);
    setProblem(await find(username));
    setBusy(false);
    input.current?.focus();
  };

  return (
    <>
      <label htmlFor={id}>Username</label>
      <form className="find" noValidate onSubmit={(event) => void submit(event)}>
        <input
          ref={input}
          id={id}
          value={text}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          maxLength={33}
          aria-describedby={`${id}-problem`}
          aria-invalid={problem !== "" || undefined}
          onChange={(event) => setText(event.target.value)}
        />
        <button type="submit" className="button-quiet" disabled={isBusy}>
          {action}
        </button>
      </form>
      <p id={`${id}-problem`} className="field-problem" role="alert">
        {problem}
      </p>
    </>
  );
}
