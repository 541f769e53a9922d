/** Usernames for users of outside issuers, who chose none; shared by both adapters. */
import { createHash } from "node:crypto";

/**
 * A username for an outside user, who chose none: of the subject's hash, so that two hosts that
 * meet the same new user at once try the same. `attempt` is for names that are taken.
 */
export function usernameOfSubject(issuer: string, subject: string, attempt: number): string {
  const digest = createHash("sha256").update(`${attempt}\n${issuer}\n${subject}`).digest("hex");
  return `user_${digest.slice(0, 16)}`;
}
