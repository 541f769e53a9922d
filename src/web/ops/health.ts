/** What is wrong, if anything, in one line and with what it concerns. Pure. */
import type { OpsSummary } from "../../protocol/ops.ts";
import type { Figures } from "./rates.ts";
import { msText, plural } from "./wording.ts";

export interface Health {
  is: "well" | "warning" | "bad";
  text: string;
}

const LAG_WARN_MS = 200;
const PING_WARN_MS = 100;
/** Of PostgreSQL's connections. */
const CONNECTIONS_WARN = 0.9;

export function healthOf(summary: OpsSummary, figures: Figures): Health {
  const { hosts, database } = summary;
  const silent = hosts.filter(({ vitals }) => vitals === null);
  const workers = hosts.flatMap((host) => host.workers);
  const mute = hosts.flatMap((host) =>
    host.vitals === null
      ? []
      : host.workers.filter(({ phase, vitals }) => phase === "online" && vitals === null),
  );
  const starting = workers.filter(({ phase }) => phase === "starting");
  const degraded = hosts.filter(({ vitals }) => (vitals?.degraded ?? []).length > 0);

  if (database === null || summary.status === "unavailable") {
    const reasons = summary.reasons.join("; ") || "the database does not answer";
    return { is: "bad", text: `Unavailable: ${reasons}.` };
  }
  if (degraded.length > 0) {
    const where = `${degraded.length} of ${plural(hosts.length, "host")}`;
    return { is: "bad", text: `Degraded (${where}): ${summary.reasons.join("; ")}.` };
  }
  if (silent.length > 0) {
    return { is: "bad", text: `${plural(silent.length, "host does", "hosts do")} not answer.` };
  }
  if (mute.length > 0) {
    return { is: "bad", text: `${plural(mute.length, "worker does", "workers do")} not answer.` };
  }
  if (starting.length > 0) {
    return { is: "warning", text: `${plural(starting.length, "worker")} starting.` };
  }
  if (figures.lagMs > LAG_WARN_MS) {
    return { is: "warning", text: `An event loop is ${msText(figures.lagMs)} late.` };
  }
  if (database.ping_ms > PING_WARN_MS) {
    return { is: "warning", text: `The database takes ${msText(database.ping_ms)} to answer.` };
  }
  if (database.connections >= database.connections_max * CONNECTIONS_WARN) {
    return { is: "warning", text: "The database is nearly out of connections." };
  }
  const counts = `${plural(hosts.length, "host")}, ${plural(workers.length, "worker")}`;
  return { is: "well", text: `All is well: ${counts}.` };
}
