import { idIn, type TopicKind } from "./topics.ts";

/**
 * Topics whose events may not have arrived here. The relay announces them to every edge, and each
 * edge repairs only those that it uses.
 *
 * A host that stayed connected, but could not publish a few events, names the topics of these.
 * A host that could not receive doubts every topic.
 */
export interface Doubt {
  /** Null: every topic. */
  topics: readonly string[] | null;
  /** The first of these events may have been lost this long ago, in milliseconds. */
  ageMs: number;
}

/** A host names at most so many topics one by one, some 250 KB; past that it doubts every topic. */
export const DOUBTED_TOPICS_MAX = 10_000;

/** The doubt of both together. */
export function joinedDoubt(one: Doubt | null, other: Doubt): Doubt {
  if (one === null) return other;
  const ageMs = Math.max(one.ageMs, other.ageMs);
  if (one.topics === null || other.topics === null) return { topics: null, ageMs };
  const topics = [...new Set([...one.topics, ...other.topics])];
  return { topics: topics.length > DOUBTED_TOPICS_MAX ? null : topics, ageMs };
}

/** The ids that the doubted topics of this kind name; null: every topic is in doubt. */
export function doubtedOf<K extends TopicKind>(kind: K, { topics }: Doubt) {
  return topics?.flatMap((topic) => idIn(kind, topic) ?? []) ?? null;
}

/** From JSON of another host. */
export function isDoubt(value: unknown): value is Doubt {
  if (typeof value !== "object" || value === null) return false;
  if (!("ageMs" in value) || typeof value.ageMs !== "number" || !(value.ageMs >= 0)) return false;
  if (!("topics" in value)) return false;
  const { topics } = value;
  return topics === null || (Array.isArray(topics) && topics.every((it) => typeof it === "string"));
}
