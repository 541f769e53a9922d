/** A mistake in a definition; its stack begins where the definition stands. */
export class DefinitionMistake extends TypeError {
  override readonly name = "DefinitionMistake";
}

/** `by`: the function that was called. */
export function mistaken(by: string, why: string): never {
  throw new DefinitionMistake(`${by}: ${why}`);
}

/** `rule`: why it must not be `async`, as the end of a sentence. */
export function synchronous(by: string, value: unknown, name: string, rule: string): void {
  if (typeof value !== "function") mistaken(by, `\`${name}\` should be a function.`);
  const made = (Object.getPrototypeOf(value) as { constructor: { name: string } }).constructor.name;
  if (made !== "Function") mistaken(by, `\`${name}\` is ${aName(made)}: ${rule}`);
}

function aName(made: string): string {
  if (made === "AsyncFunction") return "an async function";
  return made === "GeneratorFunction" ? "a generator" : "no plain function";
}
