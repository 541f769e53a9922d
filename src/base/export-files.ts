/** Names that those who make exports, serve them and take them away share. */

/** The kind of the job that exports. */
export const EXPORT = "export";

/** How long an export is there. */
export const EXPORT_KEPT_MS = 24 * 3_600_000;

/** Names an export in the store of files, beside the files, whose keys begin with a digit. */
export function exportKey(jobId: string): string {
  return `x${jobId}`;
}
