/** The application's hooks in process come before HOOK_URL, which is shown what they replace. */
import type { Hooks } from "../protocol/hooks.ts";

export function hooksInOrder(first: Hooks | null, second: Hooks | null): Hooks | null {
  if (first === null || second === null) return first ?? second;
  return {
    wants: (type) => first.wants(type) || second.wants(type),
    async ask(type, caller, data) {
      const verdict = first.wants(type)
        ? await first.ask(type, caller, data)
        : { is: "allow" as const };
      if (verdict.is === "refuse" || !second.wants(type)) return verdict;
      const { is, ...replaced } = verdict;
      const later = await second.ask(type, caller, { ...data, ...replaced });
      if (later.is === "allow") return verdict;
      return later.is === "replace" ? { ...(is === "replace" && replaced), ...later } : later;
    },
  };
}
