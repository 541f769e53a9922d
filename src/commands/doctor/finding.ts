/** One finding of the doctor and its text. Pure. */

export type State = "ok" | "warn" | "fail";

export interface Finding {
  /** The name of the check, in a word or two. */
  check: string;
  state: State;
  found: string;
  /** How to fix it; null where nothing is wrong. */
  advice: string | null;
}

export const fine = (check: string, found: string): Finding => ({
  check,
  state: "ok",
  found,
  advice: null,
});
export const doubtful = (check: string, found: string, advice: string): Finding => ({
  check,
  state: "warn",
  found,
  advice,
});
export const wrong = (check: string, found: string, advice: string): Finding => ({
  check,
  state: "fail",
  found,
  advice,
});

export function hasFailed(findings: readonly Finding[]): boolean {
  return findings.some(({ state }) => state === "fail");
}

const WORDS: Readonly<Record<State, string>> = { ok: "ok  ", warn: "warn", fail: "FAIL" };

/** Lines for a person: state, check and finding, and below them the advice. */
export function reportText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, state, found, advice }) => [
    `  ${WORDS[state]}  ${check.padEnd(width)}  ${found}`,
    ...(advice === null ? [] : [`        ${" ".repeat(width)}  → ${advice}`]),
  ]);
  const count = (state: State) => findings.filter((finding) => finding.state === state).length;
  const [fails, warns] = [count("fail"), count("warn")];
  const verdict =
    fails > 0
      ? `${fails} to mend before Troupe can be relied on${warns > 0 ? `, ${warns} to look at` : ""}.`
      : warns > 0
        ? `Troupe can start; ${warns} to look at.`
        : "All is well.";
  return `${lines.join("\n")}\n\n${verdict}\n`;
}
