/** Checks a history against every rule. Pure: the same history gives the same verdict. */
import type { History } from "./history.ts";
import { HistoryView, type Rule, type Verdict } from "./rule.ts";
import { EXTRA_RULES } from "./rules-extras.ts";
import { FAULT_RULES } from "./rules-faults.ts";
import { LIVE_RULES } from "./rules-live.ts";
import { MESSAGE_RULES } from "./rules-messages.ts";
import { SESSION_RULES } from "./rules-sessions.ts";

export const RULES: readonly Rule[] = [
  ...MESSAGE_RULES,
  ...SESSION_RULES,
  ...LIVE_RULES,
  ...EXTRA_RULES,
  ...FAULT_RULES,
];

export interface Judged extends Verdict {
  id: string;
  promise: number;
  title: string;
  holds: boolean;
}

export function judge(history: History): Judged[] {
  const view = new HistoryView(history);
  // A run that broke off before its end did not read what is stored. CHF2 reports that, and it
  // must not look like loss.
  const isCutShort = history.broken !== undefined && history.final.conversations.length === 0;
  const rules = isCutShort ? RULES.filter((rule) => !MESSAGE_RULES.includes(rule)) : RULES;
  return rules.map((rule) => {
    const verdict = rule.check(view);
    const { id, promise, title } = rule;
    return { id, promise, title, ...verdict, holds: verdict.findings.length === 0 };
  });
}
