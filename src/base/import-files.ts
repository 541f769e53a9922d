/** Names that those who take imports and write them share. */

/** The kind of the job that imports. */
export const IMPORT = "import";

/** Names a spooled import in the store of files, beside the files, whose keys begin with a digit. */
export function importKey(name: string): string {
  return `i${name}`;
}
