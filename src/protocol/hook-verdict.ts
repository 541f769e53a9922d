/** What becomes of a hook's answer, whether HOOK_URL or the application's file gave it. */
import { Check } from "typebox/value";
import { refused } from "./errors.ts";
import {
  type AskedType,
  HookAnswer,
  type HookVerdict,
  REPLACED,
  type Replacement,
} from "./hooks.ts";

const MESSAGE_CHARS_MAX = 500;

/** A text says in which way the answer is wrong. */
export function verdictOf(type: AskedType, answer: unknown): HookVerdict | string {
  if (!Check(HookAnswer, answer)) return "an answer is malformed";
  switch (answer.action) {
    case "allow":
      return { is: "allow" };
    case "refuse": {
      const message = answer.message?.slice(0, MESSAGE_CHARS_MAX) || "This was refused.";
      return { is: "refuse", error: refused("forbidden", message, { hook: true }).error };
    }
    case "replace": {
      const schema = REPLACED[type];
      const { body, data } = answer;
      const replacement = {
        ...(body !== undefined && { body }),
        ...(data !== undefined && { data }),
      };
      if (schema === null || !Check(schema, replacement)) {
        return "what it replaces is malformed";
      }
      return { is: "replace", ...(replacement as Replacement) };
    }
  }
}
