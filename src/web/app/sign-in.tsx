/**
 * The page for those who are signed out: one form that signs in or registers, with the rules and what
 * is wrong said beside the field they concern.
 */
import {
  type FormEvent,
  type ReactElement,
  type ReactNode,
  useEffect,
  useRef,
  useState,
} from "react";
import type { ErrorObject } from "../../protocol/errors.ts";
import type { Account } from "./account.ts";
import { Plain } from "./plain.tsx";
import { SERVER_URL } from "./server-url.ts";

const USERNAME = /^[A-Za-z0-9_.]{3,32}$/;
const PASSWORD_MIN = 8;
const PASSWORD_MAX = 200;
const USERNAME_RULE = "3–32 letters, digits, dots or underscores.";
const PASSWORD_RULE = `At least ${PASSWORD_MIN} characters.`;

interface Problem {
  field: "username" | "password" | null;
  text: string;
}

function problemOf(error: ErrorObject, isRegistering: boolean): Problem {
  switch (error.code) {
    case "conflict":
      return { field: "username", text: "This username is taken. Try another one." };
    case "unauthorized":
      return { field: "password", text: "Username and password do not match." };
    case "rate_limited": {
      const waitS = Math.ceil((error.retry_after_ms ?? 1000) / 1000);
      return { field: null, text: `Too many tries. Please wait ${waitS} s.` };
    }
    default:
      return {
        field: null,
        text: error.message || (isRegistering ? "Registering failed." : "Signing in failed."),
      };
  }
}

function checkFields(username: string, password: string): Problem | null {
  if (!USERNAME.test(username)) return { field: "username", text: USERNAME_RULE };
  if (password.length < PASSWORD_MIN || password.length > PASSWORD_MAX) {
    return { field: "password", text: PASSWORD_RULE };
  }
  return null;
}

/** Where accounts are an outside issuer's, the server says so in index.html. */
export const hasOutsideAccounts = (): boolean =>
  document.documentElement.dataset["accounts"] === "outside";

const logo = <img src={`${SERVER_URL}favicon.svg`} alt="" width="48" height="48" />;

/** In place of the form, which could sign nobody in. */
export function OutsideNotice(): ReactElement {
  return (
    <Plain>
      <main className="sign-in">
        <section className="sign-in-card">
          {logo}
          <h1>Sign in where your account is</h1>
          <p className="tagline">
            Accounts of this server belong to another service. Open the application that you use it
            with.
          </p>
          <a href={`${SERVER_URL}docs/sdk`}>How an application connects</a>
        </section>
      </main>
    </Plain>
  );
}

interface FieldProps {
  id: string;
  label: string;
  /** What holds for it, until something is wrong. */
  rule: string;
  problem: string;
  children: ReactNode;
}

function Field({ id, label, rule, problem, children }: FieldProps): ReactElement {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      <p id={`${id}-problem`} className={problem === "" ? "field-rule" : "field-problem"}>
        {problem === "" ? rule : problem}
      </p>
    </div>
  );
}

export interface SignInProps {
  account: Account;
  /** Why the person is here again, if there is something to say. */
  notice: string | null;
  onSignedIn(): void;
}

export function SignIn({ account, notice, onSignedIn }: SignInProps): ReactElement {
  const [isRegistering, setRegistering] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [isShown, setShown] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(
    notice === null ? null : { field: null, text: notice },
  );
  const username = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);

  useEffect(() => {
    if (problem?.field === "username") username.current?.focus();
    if (problem?.field === "password") password.current?.focus();
  }, [problem]);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const name = username.current?.value.trim() ?? "";
    const secret = password.current?.value ?? "";
    const wrong = checkFields(name, secret);
    setProblem(wrong);
    if (wrong || isBusy) return;
    setBusy(true);
    const answer = await (isRegistering ? account.register : account.signIn)(name, secret);
    setBusy(false);
    if (answer.ok) onSignedIn();
    else setProblem(problemOf(answer.error, isRegistering));
  };

  const problemAt = (field: Problem["field"]): string =>
    problem?.field === field ? problem.text : "";
  const heading = isRegistering
    ? "Join Troupe"
    : account.hasSignedInBefore()
      ? "Welcome back"
      : "Sign in to Troupe";

  return (
    <Plain>
      <main className="sign-in">
        <form className="sign-in-card" noValidate onSubmit={(event) => void submit(event)}>
          {logo}
          <h1>{heading}</h1>
          <p className="tagline">Conversations that keep up with you.</p>
          <p className="form-problem" role="alert">
            {problemAt(null)}
          </p>
          <Field
            id="username"
            label="Username"
            rule={isRegistering ? USERNAME_RULE : ""}
            problem={problemAt("username")}
          >
            <input
              ref={username}
              id="username"
              name="username"
              required
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              maxLength={32}
              aria-describedby="username-problem"
              aria-invalid={problemAt("username") !== "" || undefined}
            />
          </Field>
          <Field
            id="password"
            label="Password"
            rule={isRegistering ? PASSWORD_RULE : ""}
            problem={problemAt("password")}
          >
            <div className="password">
              <input
                ref={password}
                id="password"
                name="password"
                type={isShown ? "text" : "password"}
                required
                autoComplete={isRegistering ? "new-password" : "current-password"}
                maxLength={PASSWORD_MAX}
                aria-describedby="password-problem"
                aria-invalid={problemAt("password") !== "" || undefined}
              />
              <button
                type="button"
                className="button-quiet"
                aria-pressed={isShown}
                aria-label="Show what is typed"
                onClick={() => setShown(!isShown)}
              >
                {isShown ? "Hide" : "Show"}
              </button>
            </div>
          </Field>
          <button type="submit" className="button-primary" disabled={isBusy}>
            {isBusy ? "One moment…" : isRegistering ? "Create account" : "Sign in"}
          </button>
          <button
            type="button"
            className="button-quiet"
            disabled={isBusy}
            onClick={() => {
              setRegistering(!isRegistering);
              setProblem(null);
              username.current?.focus();
            }}
          >
            {isRegistering ? "I have an account" : "Create an account"}
          </button>
        </form>
      </main>
    </Plain>
  );
}
