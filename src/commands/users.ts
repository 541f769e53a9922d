/**
 * `troupe user`: accounts of Troupe's own from the command line, by the rules and the storage of the
 * routes. Running hosts find out from the database, within a second. Called by cli.ts, which has the
 * database and the rules.
 */
import { randomBytes } from "node:crypto";
import type { AccountStore } from "../ports/edge.ts";
import type { ErasureStore } from "../ports/erasures.ts";
import type { ListPage } from "../ports/pages.ts";
import type { PeopleQueries } from "../ports/people.ts";
import type { ServiceStore } from "../ports/services.ts";
import type { SuspendedUser } from "../protocol/people-routes.ts";
import { asUserId, type User } from "../protocol/schemas.ts";
import { operatorRow, table } from "./service-tokens.ts";
import type { UserCommand } from "./user-options.ts";

export interface UserPorts {
  accounts: Pick<AccountStore, "register" | "setPassword" | "suspend">;
  people: Pick<PeopleQueries, "suspended" | "all">;
  services: Pick<ServiceStore, "writeAudit">;
  erasures: Pick<ErasureStore, "begin">;
  userByName(username: string): Promise<User | null>;
  isReservedName(username: string): boolean;
  /** The end of a sentence about a password that is refused; null: it may be used. */
  passwordProblem(password: string): string | null;
  hashPassword(password: string): Promise<string>;
  /** Writes the user's archive into a new file. Null: there is a file of that name already. */
  exportTo(id: string, path: string): Promise<{ lines: number; files: number } | null>;
  /** The first line of standard input. */
  readPassword(): Promise<string>;
}

export interface Outcome {
  exitCode: 0 | 1;
  text: string;
}

const PAGE = 100;
/** The asker of a job that is begun here: it is read with scope `admin`. */
const OPERATOR = "operator";
const PASSWORD_BYTES = 15;
const PASSWORD_CHARS_MIN = 8;
const PASSWORD_CHARS_MAX = 200;
const done = (text: string): Outcome => ({ exitCode: 0, text });
const failed = (text: string): Outcome => ({ exitCode: 1, text });

export async function runUserCommand(asked: UserCommand, ports: UserPorts): Promise<Outcome> {
  if (asked.is === "list") return list(asked.isSuspendedOnly, ports);
  if (asked.is === "create") return create(asked, ports);
  const user = await ports.userByName(asked.username);
  if (user === null) return failed(`There is no user ${asked.username}.\n`);
  const id = asUserId(user.id);
  const note = (act: string, changed: string[] = []) =>
    ports.services.writeAudit([operatorRow(act, `user:${user.id}`, changed)]);
  switch (asked.is) {
    case "password": {
      const chosen = await choosePassword(asked.isPiped, ports);
      if ("problem" in chosen) return failed(chosen.problem);
      const set = await ports.accounts.setPassword(id, await ports.hashPassword(chosen.password));
      if (!set.ok) return failed(`${set.error.message}\n`);
      await note("set_password", ["password"]);
      return done(`${chosen.shown}Every login of ${asked.username} has ended.\n`);
    }
    case "suspend": {
      const { until, reason } = asked;
      const set = await ports.accounts.suspend(id, { until, reason });
      if (!set.ok) return failed(`${set.error.message}\n`);
      await note("suspend_user", until === null ? [] : ["until"]);
      return done(`${asked.username} is suspended${until === null ? "" : ` until ${until}`}.\n`);
    }
    case "delete": {
      const begun = await ports.erasures.begin(id, asked.messages, OPERATOR);
      if (!begun.ok) return failed(`${begun.error.message}\n`);
      await note("erase_user", ["messages"]);
      return done(
        `${asked.username} has no name and no way in any more. Job ${begun.value.jobId} of the running server takes away the rest.\n`,
      );
    }
    case "export": {
      const written = await ports.exportTo(id, asked.path);
      if (written === null) return failed(`${asked.path} is there already.\n`);
      await note("export_user");
      const { lines, files } = written;
      return done(`${asked.path} holds ${lines} lines and ${files} files of ${asked.username}.\n`);
    }
    case "restore": {
      const set = await ports.accounts.suspend(id, null);
      if (!set.ok) return failed(`${set.error.message}\n`);
      await note("restore_user");
      return done(`${asked.username} is not suspended.\n`);
    }
  }
}

async function create(
  { username, displayName, isPiped }: Extract<UserCommand, { is: "create" }>,
  ports: UserPorts,
): Promise<Outcome> {
  if (ports.isReservedName(username)) return failed("That username is taken.\n");
  const chosen = await choosePassword(isPiped, ports);
  if ("problem" in chosen) return failed(chosen.problem);
  const hash = await ports.hashPassword(chosen.password);
  const made = await ports.accounts.register(username, displayName ?? username, hash);
  if (!made.ok) return failed(`${made.error.message}\n`);
  const row = operatorRow("register", `user:${made.value.id}`, ["username", "password"]);
  await ports.services.writeAudit([row]);
  return done(`${chosen.shown}User ${made.value.id} is ${username}.\n`);
}

/** From standard input, or made up and shown. */
async function choosePassword(
  isPiped: boolean,
  ports: UserPorts,
): Promise<{ password: string; shown: string } | { problem: string }> {
  if (!isPiped) {
    const password = randomBytes(PASSWORD_BYTES).toString("base64url");
    return { password, shown: `Password: ${password}\n` };
  }
  const read = await ports.readPassword();
  const isLong = read.length >= PASSWORD_CHARS_MIN && read.length <= PASSWORD_CHARS_MAX;
  const problem = isLong ? ports.passwordProblem(read) : "must have 8 to 200 characters";
  return problem === null
    ? { password: read, shown: "" }
    : { problem: `The password ${problem}.\n` };
}

async function list(isSuspendedOnly: boolean, { people }: UserPorts): Promise<Outcome> {
  const rows: string[][] = [];
  for (let cursor: string | null = null; ; ) {
    const page: ListPage<User | SuspendedUser> | null | undefined = isSuspendedOnly
      ? await people.suspended(PAGE, cursor)
      : await people.all(PAGE, cursor);
    if (!page) throw new Error("the list of users refused its own cursor");
    for (const user of page.items) {
      const { until = null, reason = null } = "suspended_at" in user ? user : {};
      const terms = isSuspendedOnly ? [until ?? "", reason ?? ""] : [];
      rows.push([user.id, user.username, user.display_name, user.created_at, ...terms]);
    }
    cursor = page.next_cursor;
    if (cursor === null) break;
  }
  const heads = ["id", "username", "name", "made", ...(isSuspendedOnly ? ["until", "reason"] : [])];
  return done(rows.length === 0 ? "There is none.\n" : table([heads, ...rows]));
}
