/** Counts what is asked of a port of the memory storage. The answers come a turn later. */
import type { Counts } from "./counts.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** `kind`: how its calls are counted; rows of what is due are not. */
export function counted<T extends object>(
  port: T,
  kind: "statements" | "writes" | "looks" | "due",
  counts: Counts,
  clock: VirtualClock,
): T {
  return new Proxy(port, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name, target);
      if (typeof method !== "function") return method;
      return async (...args: unknown[]) => {
        clock.activity++;
        const isLook = kind === "looks" || kind === "due";
        counts.add(isLook ? "looks" : kind);
        for (const arg of args) {
          if (!isLook && Array.isArray(arg)) counts.add("ids", arg.length);
        }
        const answer: unknown = await method.apply(target, args);
        clock.activity++;
        if (kind !== "due") counts.add(isLook ? "lookRows" : "rows", rowsOf(answer));
        return answer;
      };
    },
  });
}

function rowsOf(answer: unknown): number {
  if (Array.isArray(answer)) return answer.length;
  if (answer instanceof Map || answer instanceof Set) return answer.size;
  if (typeof answer !== "object" || answer === null) return 0;
  const lists = Object.values(answer).filter((one): one is unknown[] => Array.isArray(one));
  return lists.length === 0 ? 1 : lists.reduce((sum, { length }) => sum + length, 0);
}
