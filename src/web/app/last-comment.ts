/** Scrolls to the last comment that is drawn; a comment that was just written may not be yet. */
type Column = Pick<ParentNode, "querySelectorAll">;

export function showLastComment(column: Column | null): void {
  const all = column?.querySelectorAll(".comment") ?? [];
  [...all].at(-1)?.scrollIntoView({ block: "nearest" });
}
