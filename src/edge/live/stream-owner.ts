/** What a conversation's stream leaves to the streams of its edge, and what it waits for. */
import type { UserId } from "../../protocol/ids.ts";
import type { Monotonic } from "../../protocol/time.ts";
import type { Frame } from "../../runtime/frames.ts";
import type { Session } from "../session/session.ts";

export interface StreamOwner<Stream> {
  /** The first local session came, or the last one left. */
  occupied(stream: Stream, isOccupied: boolean): void;
  /** A session has entered the stream. */
  entered(session: Session, stream: Stream): void;
  /** Whether a session whose user has just become a member enters the stream by itself. */
  hasRoom(session: Session): boolean;
  /** The user has left the conversation, whose threads the session may receive. */
  left(user: UserId): void;
  /** Somebody is typing. */
  types(stream: Stream): void;
  /** How many sessions watch a channel has changed, or its actor asks for it. */
  watched(stream: Stream): void;
  /** So many were not sent to a session that reads too slowly. */
  leftOut(what: "change" | "delta" | "signal", count: number): void;
  /** By the monotonic clock. */
  nowMs(): Monotonic;
  /** The session reads what comes after `rev`, and enters the stream again. */
  catchUp(session: Session, stream: Stream, rev: number): void;
  /** Reads what `stream` missed and calls `repaired`; tries again while storage is away. */
  repair(stream: Stream): void;
  /** Local sessions of a user. */
  sessionsOf(user: UserId): Iterable<Session>;
  /** Whether its publisher no longer owns the actor, and so cannot announce the end of it. */
  isOutdated(event: Frame, actor: string): boolean;
  /** Writes the addresses of files into a message's text. */
  links(text: string): string;
  after(delayMs: number, ring: () => void): () => void;
}

/** Sends an ack; false: an event has answered it already. */
export type Release = () => boolean;

export interface HeldAck {
  rev: number;
  session: Session;
  release: Release;
}

export type Phase =
  /** Subscribing, then reading where the conversation stands. Events wait, in order. */
  | { is: "opening"; waiting: Frame[] }
  | { is: "live" }
  /** Reading what was missed. */
  | { is: "repairing"; waiting: Frame[] };
