/**
 * Makes the users of an outside issuer: one for each subject, at its first valid token, with that
 * token's name and picture. Later tokens change nothing, so what a user changes stays.
 *
 * [OTK7] `name` is the display name, `preferred_username` the username where it is one and is free,
 *        `picture` the picture where it is an https address. Values of another form, and names
 *        that a word rule refuses, are left out. An e-mail address is no name: it would be shown to everybody.
 */
import type { JWTPayload } from "jose";
import type { AccountStore } from "../../ports/edge.ts";
import type { ErrorObject } from "../../protocol/errors.ts";
import { isImageUrl } from "../../protocol/formats.ts";
import type { UserId } from "../../protocol/ids.ts";
import { asUserId } from "../../protocol/schemas.ts";
import { isText, TITLE_MAX, withoutControls } from "../../protocol/text.ts";
import { orUnreachable } from "../storage-reachable.ts";
import { isReservedName } from "./account-rules.ts";

/** Null: the token says nothing that can be used. */
export interface Profile {
  /** Folded. */
  username: string | null;
  displayName: string | null;
  imageUrl: string | null;
}

/** What word rules make of a name; see moderation/word-rules.ts. */
type NameVerdict =
  | { is: "refused"; error: ErrorObject }
  | { is: "allowed"; text: string; reports: readonly string[] };

/** The word rules, as far as names need them. */
export interface NameRules {
  readonly isEmpty: boolean;
  judge(text: string): NameVerdict;
  judgeUsername(name: string): NameVerdict;
  report(ruleIds: readonly string[], of: { user_id: string }, by: string, content: object): void;
}

const USERNAME = /^[a-z0-9_.]{3,32}$/;
/** Subjects whose user is known: about 150 bytes each. */
const SUBJECTS_MAX = 50_000;
const NO_PROFILE: Profile = { username: null, displayName: null, imageUrl: null };

export function profileOf({ name, preferred_username, picture }: JWTPayload): Profile {
  const wished = nameIn(preferred_username);
  const folded = wished?.toLowerCase() ?? "";
  return {
    username: USERNAME.test(folded) && !isReservedName(folded) ? folded : null,
    displayName: nameIn(name) ?? wished,
    imageUrl: typeof picture === "string" && isImageUrl(picture) ? picture : null,
  };
}

function nameIn(claim: unknown): string | null {
  if (typeof claim !== "string" || claim.includes("@")) return null;
  // Longer ones are not read to their end: a token has room for 8 KiB.
  const start = withoutControls(claim.slice(0, TITLE_MAX * 4)).trim();
  const text = [...start].slice(0, TITLE_MAX).join("").trim();
  return isText(text, TITLE_MAX) ? text : null;
}

export interface OutsideUsers {
  /** Undefined when only the store can tell. */
  known(subject: string): UserId | undefined;
  /** The user of a subject, made with this profile on first sight. Rejects: StorageUnreachable. */
  admit(subject: string, profile: Profile | null): Promise<UserId>;
}

/** `rules` null: names are not judged. */
export function createOutsideUsers(
  issuer: string,
  accounts: Pick<AccountStore, "bySubject">,
  rules: NameRules | null,
): OutsideUsers {
  const subjects = new Map<string, UserId>();
  return {
    known: (subject) => subjects.get(subject),

    async admit(subject, told) {
      const { profile, reports } = judged(told ?? NO_PROFILE, rules);
      const { user, created } = await orUnreachable(accounts.bySubject(issuer, subject, profile));
      if (created) rules?.report(reports, { user_id: user.id }, user.id, user);
      const id = asUserId(user.id);
      if (subjects.size >= SUBJECTS_MAX) subjects.clear();
      subjects.set(subject, id);
      return id;
    },
  };
}

function judged(
  profile: Profile,
  rules: NameRules | null,
): { profile: Profile; reports: string[] } {
  if (rules === null || rules.isEmpty) return { profile, reports: [] };
  const { username, displayName } = profile;
  const named = username === null ? null : rules.judgeUsername(username);
  const shown = displayName === null ? null : rules.judge(displayName);
  const verdicts = [named, shown];
  return {
    profile: {
      ...profile,
      username: named?.is === "allowed" ? named.text : null,
      displayName: shown?.is === "allowed" ? shown.text : null,
    },
    reports: [...new Set(verdicts.flatMap((one) => (one?.is === "allowed" ? one.reports : [])))],
  };
}
