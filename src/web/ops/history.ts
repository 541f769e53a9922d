/**
 * What the page has seen: the last summaries, to make figures of, and the last two minutes of
 * figures, to draw. The server keeps no history, so a page begins with none. Pure.
 */
import type { OpsSummary } from "../../protocol/ops.ts";
import { type Figures, figuresBetween } from "./rates.ts";

/** Rates over about three seconds: steady to read, and still now. */
const RATE_SUMMARIES = 3;
/** Quantiles over about ten: with a few sends a second one would be noise. */
const QUANTILE_SUMMARIES = 10;
const POINTS_MAX = 120;

export interface History {
  summaries: readonly OpsSummary[];
  /** Oldest first. */
  points: readonly Figures[];
}

export const NO_HISTORY: History = { summaries: [], points: [] };

/** The history with `summary`; the same object where that was seen already. */
export function withSummary(history: History, summary: OpsSummary): History {
  const last = history.summaries.at(-1);
  if (last !== undefined && last.at >= summary.at) return history;
  const summaries = [...history.summaries, summary].slice(-(QUANTILE_SUMMARIES + 1));
  const forRates = summaries.at(-1 - RATE_SUMMARIES) ?? summaries[0]!;
  const rates = figuresBetween(forRates, summary);
  const { sendCommit, commitDelivery, rowsPerCommit } = figuresBetween(summaries[0]!, summary);
  const figures = { ...rates, sendCommit, commitDelivery, rowsPerCommit };
  return { summaries, points: [...history.points, figures].slice(-POINTS_MAX) };
}
