/**
 * One worker's answers to operators' questions: its own counts, and one user's sessions here.
 * Asked through the primary (src/primary/ops.ts); src/worker.ts hands it the edge and the thread.
 */

import type { Metrics, Tally } from "../../base/metrics.ts";
import type { RecentFaults } from "../../ops/recent-faults.ts";
import { mergedFaults } from "../../ops/recent-faults.ts";
import type { EdgeVitals } from "../../ops/vitals.ts";
import type { OpsQuestion, SessionFacts, ThreadReport, WorkerAnswer } from "../../ports/ops.ts";
import type { UserId } from "../../protocol/ids.ts";
import { isoOf } from "../../protocol/time.ts";
import type { Session } from "../session/session.ts";

const SESSIONS_LISTED_MAX = 100;

export interface OpsAnswersDeps {
  metrics: Metrics;
  vitals: EdgeVitals;
  faults: RecentFaults;
  sessionsOf(user: UserId): Iterable<Session>;
  deliveries(): number;
  thread(): Promise<ThreadReport>;
}

export type AnswerOps = (question: OpsQuestion) => Promise<WorkerAnswer>;

export function createOpsAnswers(deps: OpsAnswersDeps): AnswerOps {
  const { metrics, vitals, faults } = deps;

  return async (question) => {
    switch (question.ask) {
      case "vitals": {
        const thread = await deps.thread();
        const { user, system } = process.cpuUsage();
        return {
          vitals: {
            ...thread.vitals,
            sessions: metrics.gauges.sessions(),
            events: total(metrics.events),
            refusals: total(metrics.refusals),
            http_requests: total(metrics.httpRequests),
            deliveries: deps.deliveries(),
            edge_lag_ms: metrics.lagMs(),
            rss_bytes: process.memoryUsage.rss(),
            cpu_ms: Math.round((user + system) / 1000),
            send_commit: vitals.sendCommit.read(),
            commit_delivery: vitals.commitDelivery.read(),
          },
          faults: mergedFaults([faults.list(), thread.faults]),
        };
      }
      case "sessions": {
        const sessions = [...deps.sessionsOf(question.user)].filter(({ isLive }) => isLive);
        return {
          sessions: sessions.slice(0, SESSIONS_LISTED_MAX).map(factsOf),
          count: sessions.length,
        };
      }
      case "end_sessions": {
        const sessions = [...deps.sessionsOf(question.user)].filter(({ isEnded }) => !isEnded);
        for (const session of sessions) {
          session.end("ended_by_operator", "An operator has ended this session.", true);
        }
        return { ended: sessions.length };
      }
    }
  };
}

function factsOf(session: Session): SessionFacts {
  return {
    session_id: session.id,
    transport: session.connection.transport,
    status: session.status,
    since: isoOf(session.sinceMs),
    unread_bytes: session.connection.queuedBytes,
  };
}

/** The tables have a row for each event or route: tens, not thousands. */
function total(tally: Tally): number {
  let sum = 0;
  tally.each((_first, _second, count) => {
    sum += count;
  });
  return sum;
}
