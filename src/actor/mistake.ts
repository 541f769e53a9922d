/** A mistake in a definition; its stack begins where the definition stands. */
export class DefinitionMistake extends TypeError {
  override readonly name = "DefinitionMistake";
}
