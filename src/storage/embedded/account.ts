/**
 * The account of the embedded PostgreSQL. PostgreSQL refuses to run as root. When Troupe is started
 * by root, PostgreSQL runs as the owner of its existing cluster, else as user `postgres` or as user
 * `troupe`, which is made where the system permits it. [EMB16] It never runs as `nobody`: other
 * services run as that user, and each of them could read the data.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { StartRefusal } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";

const run = promisify(execFile);

export interface Account {
  uid: number;
  gid: number;
}

/** Ways to make a system user without home and login, on Debian and Red Hat, Debian, BusyBox. */
const MAKE_USER = [
  ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", "troupe"],
  ["adduser", "--system", "--group", "--no-create-home", "troupe"],
  ["adduser", "-S", "-D", "-H", "troupe"],
] as const;

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** For a new cluster, when root starts it. Refuses where there is no user to run it as. */
export async function unprivilegedAccount(log: Log): Promise<Account> {
  const existing = (await accountOf("postgres")) ?? (await accountOf("troupe"));
  if (existing !== null) return existing;
  for (const [command, ...args] of MAKE_USER) {
    const outcome = await run(command, args).catch((error: Error) => error.message.trim());
    const made = await accountOf("troupe");
    if (made !== null) {
      log.info({ event: "postgres_user_made", user: "troupe", uid: made.uid });
      return made;
    }
    log.debug({ event: "postgres_user_not_made", command, outcome });
  }
  throw new StartRefusal(
    "PostgreSQL does not run as root, there is no user postgres or troupe to run it as, and none could be made: make one (useradd --system troupe), start Troupe as another user, or set DATABASE_URL.",
  );
}

async function accountOf(user: string): Promise<Account | null> {
  try {
    const [uid, gid] = await Promise.all([run("id", ["-u", user]), run("id", ["-g", user])]);
    const account = { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    return account.uid > 0 ? account : null;
  } catch (error) {
    // `id` exits with 1 for a user that does not exist.
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
}
