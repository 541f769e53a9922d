/**
 * `troupe token --list` and `--revoke`, and the rows that the command line leaves in the audit log.
 * Called by cli.ts, which has the database.
 */
import type { AuditRow, ServiceStore } from "../ports/services.ts";
import type { ServiceToken } from "../protocol/service-routes.ts";

const PAGE = 100;
/** As long as the longest-lived token: when an unknown one expires is not known. */
const UNKNOWN_TTL_MS = 3650 * 86_400_000;

/** A change that an operator makes on the command line. */
export function operatorRow(act: string, target: string, changed: string[] = []): AuditRow {
  const row = { actor: "operator", token: null, actingFor: null, act, target };
  return { ...row, reason: null, changed, isGathered: false };
}

export async function listedTokens(services: ServiceStore): Promise<string> {
  const tokens: ServiceToken[] = [];
  for (let cursor: string | null = null; ; ) {
    const page = await services.serviceTokens(PAGE, cursor);
    if (page === undefined) throw new Error("the list of tokens refused its own cursor");
    tokens.push(...page.items);
    cursor = page.next_cursor;
    if (cursor === null) break;
  }
  if (tokens.length === 0) return "No service token is known that has not expired.\n";
  const rows = tokens.map(({ jti, sub, scope, created_at, expires_at, revoked_at }) => [
    jti,
    sub,
    scope,
    created_at,
    expires_at,
    revoked_at === null ? "" : `revoked ${revoked_at}`,
  ]);
  return table([["jti", "sub", "scope", "made", "expires", ""], ...rows]);
}

/** False: no token with this id was known. It is refused from now on all the same. */
export async function revokeToken(
  services: ServiceStore,
  jti: string,
  nowMs: number,
): Promise<boolean> {
  const isKnown = (await services.endServiceToken(jti)) !== null;
  if (!isKnown) {
    const expiresAtMs = nowMs + UNKNOWN_TTL_MS;
    const unknown = { jti, subject: "unknown", scope: "", issuedAtMs: nowMs, expiresAtMs };
    await services.noteToken(unknown);
    await services.endServiceToken(jti);
  }
  await services.writeAudit([operatorRow("end_service_token", `token:${jti}`)]);
  return isKnown;
}

export function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
