/** The texts of `troupe --help` and of each command's `--help`. */

const OVERVIEW = `Usage: troupe <command> [options]

Running
  start      start Troupe on this host
  reload     let a running server load the application's own files again
  migrate    bring the database up to this version, and exit
  doctor     look at everything a start needs, and say what to do about what is wrong

  capacity   say which hosts, Redis and PostgreSQL carry how many users, and what breaks first

Looking after it
  user       make, list and suspend users, and set their passwords
  backup     write database, files and secrets into a folder, while Troupe runs
  restore    bring a backup back into an empty database
  move       go from the embedded database to a PostgreSQL of one's own
  export     write a conversation, or everything, into a zip
  import     take users, conversations and messages from a file
  token      print, list or revoke tokens with which a program or an operator may call the API
  rotate-secret  sign new tokens with a new secret; older tokens stay good
  webhook    send a test to the deployment's webhooks
  recount    compare every stored count with what it counts
  reindex    build the index of messages anew

Trying it
  demo       fill a running Troupe with made-up people who talk
  chaos      break hosts of its own on purpose, and check every promise
  bench      measure throughput, latency, CPU and memory, here or elsewhere

  troupe <command> --help   options, and an example
  troupe --version          the version

Configuration comes from environment variables (PORT, DATA_DIR, DATABASE_URL, …): README.md
has the table, and \`troupe doctor\` says what is wrong with yours.
`;

const COMMANDS: Readonly<Record<string, string>> = {
  start: `Usage: troupe start [--actors DIR]

Starts Troupe on this host: database (its own, or DATABASE_URL), workers, then the port.
Runs until SIGTERM or Ctrl-C: sessions are told, actors finish, nothing stays behind. A
second signal ends it at once. SIGHUP replaces the workers one by one; SIGUSR2 loads the
application's own files again, as \`troupe reload\` does.

  --actors DIR   the application's own files that run in the server: *.actor.ts,
                 *.hooks.ts, *.namespace.ts, or .js
                 (default: ACTORS_DIR)

  PORT=8080 WORKERS=4 troupe start
`,
  reload: `Usage: troupe reload

Lets the running servers of this DATA_DIR load the files in their ACTORS_DIR again. No session
ends. A mistake in any file, or one in a worker, leaves all the older ones running.

Exit code 1 where a server goes on with the files it had; the text says why.

  DATA_DIR=/var/lib/troupe troupe reload
`,
  migrate: `Usage: troupe migrate

Brings the database up to this version and exits. A start does it by itself; this is for
who wants it done beforehand, or by another database user. Several may run at once.

  DATABASE_URL=postgres://… troupe migrate
`,
  doctor: `Usage: troupe doctor [options]

Looks at Node.js and every variable, port, disk, database (version, migrations, clock,
connections), Redis (version, eviction, latency), open files, memory, certificates and the
issuer's keys, with the environment that \`troupe start\` would have. Changes nothing, and may
run beside a running server. Each line is ok, warn or FAIL, with what to do.

  --json     one JSON object: {"ok": …, "findings": [{check, state, found, advice}]}

Exit code 1 where something fails.

  DATABASE_URL=postgres://… REDIS_URL=redis://… troupe doctor
`,
  capacity: `Usage: troupe capacity [options]

Reckons which deployment carries these users: hosts, Redis, PostgreSQL, what breaks first and at how
many users, and what each fault costs. It starts nothing. Costs are of the machine in
bench/RESULTS.md; each is marked as measured, read in the code, or estimated.

  --users <count>          connected at once (10000)
  --rate <count>           messages a second of one user (0.01)
  --groups <size:percent>  where messages go (direct:60,10:35,100:5); above 1000: channels
  --conversations <count>  of a user (30)
  --watch <count>          users whose presence a session watches (100)
  --online <percent>       of a conversation's members who are connected (40)
  --host <cores,memory>    of one host (16c,64g)
  --from-metrics <address> take users and rates from a running Troupe's /metrics, with the
                           METRICS_TOKEN of the environment where it wants one
  --for <time>             how long its metrics are watched (10s)
  --json                   one JSON object, with every term and constant

  troupe capacity --users 2000000 --rate 0.005 --groups direct:60,10:35,100:5 --watch 50
`,
  webhook: `Usage: troupe webhook test [ID]

Sends webhook.test to a webhook, or to all of them, and says how each answered. Nothing else
of a webhook changes: what waits for it goes on waiting. It wants the database, not a running
server, and calls from this machine.

Exit code 1 where one did not answer with a 2xx.

  troupe webhook test 3
`,
  token: `Usage: troupe token --scope <words> [options]

Prints a service token and nothing else, signed with the server's secret: run it with the
same environment, or DATA_DIR. It opens only what its scopes name.

  --scope <words>   what it may do, several with a comma or a space: notify (send
                    notifications), users (keep the application's own users), act (call as a
                    user), presence, moderate, events, import, export, admin (suspend users,
                    end tokens), ops (the operator's page at /ops)
  --sub <name>      who it is for (service); the audit log names it
  --ttl <time>      how long it is good: 90s, 15m, 12h, 30d (30d)
  --list            show the tokens that have not expired
  --revoke <jti>    end one: every host refuses it within a second

  troupe token --scope "users act" --sub shop --ttl 90d
`,
  user: `Usage: troupe user <create | password | suspend | restore | delete | export | list> [name] [options]

Looks after accounts of Troupe's own, beside a running server, too, whose hosts find out within a
second. A password is made up and shown, or with --password-stdin the first line of standard input.

  create <name>     make a user; --name <text> is the name that people read
  password <name>   set the password and end every login
  suspend <name>    shut a user out; --until <time> ends it by itself, --reason <text> says why
  restore <name>    let a user in again
  delete <name> --messages <keep | erase>
                    erase a user, and their messages or not
  export <name>     write everything of a user into a zip; --out <file> names it (<name>.zip)
  list              show all users; --suspended: those who are suspended, with until and reason

  troupe user suspend mallory --until 2027-01-31T12:00:00Z --reason spam
`,
  import: `Usage: troupe import <file>

Takes a file of lines, one JSON object each, or the zip of an export: users, conversations, members,
messages, reactions, follows, blocks, posts. Every line is judged before the first one is written,
and an error names its line. May run beside a running server, whose people hear nothing of it. The
same file again changes nothing, and goes on where a killed import was.

  troupe import everything.jsonl
`,
  export: `Usage: troupe export <--all | --conversation <id> | --user <id>> [options]

Writes a zip of data.jsonl, one object a line, and of the files, which are read from DATA_DIR or
FILES_URL. May run beside a running server; what changes meanwhile is in it or not. With --all it
holds the hashes of passwords, too.

  --out <file>   the new file (troupe-export.zip); only its owner may read it

  troupe export --all --out everything.zip
`,
  backup: `Usage: troupe backup DIR

Writes everything into a new folder: the rows of one moment, the files of DATA_DIR and its
secrets, with a list of sizes and sums. May run beside a running server. Whoever can read the
folder can sign in as anyone.

  troupe backup /backups/monday
`,
  restore: `Usage: troupe restore DIR

Verifies a backup and brings it back, into DATA_DIR, or into the database of DATABASE_URL and
the store of FILES_URL. The database must be empty and not in use. One that was killed is begun
again. A reader of the event log hears "gone" once, and goes on from what is kept.

  DATA_DIR=/var/lib/troupe troupe restore /backups/monday
`,
  move: `Usage: troupe move <--to DATABASE_URL | --undo>

Copies the embedded database into a new, empty one while Troupe runs, catches up, and lets writes
wait for the last rows. Then the old one only reads, is marked, and is not started again: restart
Troupe with DATABASE_URL and the same JWT_SECRET. With FILES_URL files are copied there. Until its
end a move changes nothing, and one that was killed is begun again.

  --to <address>   the new database
  --undo           take the old database back into use, as it was at the move

  troupe move --to postgres://troupe:secret@db:5432/troupe
`,
  "rotate-secret": `Usage: troupe rotate-secret [options]

Puts a new secret before the generated one in DATA_DIR. After a restart it signs new tokens, and
tokens of the older secrets stay good. Where JWT_SECRET is set, several secrets are separated by
commas, and the first one signs. With several hosts, add the new secret at the end on all of them,
then put it in front on all of them, then drop the older one.

  --only     drop the older secrets: everybody signs in again, service tokens are minted again

  troupe rotate-secret
`,
  recount: `Usage: troupe recount [options]

Holds every stored count (likes, comments, notification and message numbers) against the
rows it counts, beside a running server too. Exit code 1 where they differ.

  --mend     correct what differs

  troupe recount --mend
`,
  reindex: `Usage: troupe reindex

Empties the index by which messages are searched. A running Troupe, or the next one that starts,
reads all messages into it again; searches find what has been read until then. Sends do not wait.

  troupe reindex
`,
  demo: `Usage: troupe demo [options]

Makes a small world in a running Troupe through its public API (people named demo_…, direct
and group conversations, follows, posts, likes, comments) and keeps it talking: typing, sends,
reads, presence. Prints how to sign in as one of them. Run again, it goes on with the same
people. Ctrl-C ends it; what was said stays.

  --url <address>     the server (http://localhost:PORT)
  --for <time>        end by itself after 60s, 10m, 2h
  --people <count>    2 to 12 (12)
  --rate <count>      things that happen a minute (60)
  --password <text>   of all demo people (troupe-demo; made up where the server is not this machine)
  --yes               the server may be another machine: without it the demo refuses

  troupe demo --for 10m
`,
};

/** The help of one command; the overview where no command has that name. */
export function helpOf(command: string): string {
  return Object.hasOwn(COMMANDS, command) ? (COMMANDS[command] ?? OVERVIEW) : OVERVIEW;
}
