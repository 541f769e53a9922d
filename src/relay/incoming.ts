/**
 * Classifies messages on the relay's channels: what a message is, or why it is dropped. It changes
 * only its memory of numbers; the relay acts on the verdict. [RLY9]
 */

import type { DropReason } from "../base/drops.ts";
import { type Doubt, isDoubt } from "../protocol/doubt.ts";
import { areWholeFrames } from "../runtime/frames.ts";
import { KIND, openedEnvelope } from "./envelope.ts";
import { Inbox } from "./outbox.ts";
import { Repeats } from "./repeats.ts";
import type { SealKey } from "./seal.ts";

export type Verdict =
  /** Published by this host itself, which is subscribed to the same channel. */
  | { is: "own" }
  | { is: "dropped"; reason: DropReason }
  /** The cluster's view has a new number. */
  | { is: "news" }
  | { is: "doubt"; doubt: Doubt }
  /** `frames` may be empty after a gap. */
  | { is: "frames"; host: string; isAfterGap: boolean; frames: Buffer };

const REPEAT: Verdict = { is: "dropped", reason: "repeat" };
const MALFORMED: Verdict = { is: "dropped", reason: "malformed" };

export class Incoming {
  readonly #key: SealKey;
  readonly #self: string;
  /** To this host alone: in order, and sent again until they are taken. */
  readonly #inbox = new Inbox();
  readonly #repeats = new Repeats();

  constructor(key: SealKey, self: string) {
    this.#key = key;
    this.#self = self;
  }

  judge(channel: string, message: Buffer): Verdict {
    const envelope = openedEnvelope(this.#key, channel, message);
    if (typeof envelope === "string") return { is: "dropped", reason: envelope };
    const { host, kind, number, frames } = envelope;
    if (host === this.#self) return { is: "own" };
    switch (kind) {
      case KIND.news:
        return this.#repeats.isNew(host, number) ? { is: "news" } : REPEAT;
      case KIND.events:
        if (!this.#repeats.isNew(host, number)) return REPEAT;
        return framesOf(host, false, frames);
      case KIND.frames:
      case KIND.framesAfterGap:
        if (!this.#inbox.isNew(host, number)) return REPEAT;
        return framesOf(host, kind === KIND.framesAfterGap, frames);
      case KIND.doubt: {
        if (!this.#inbox.isNew(host, number)) return REPEAT;
        const doubt = doubtOf(frames.toString());
        return doubt === null ? MALFORMED : { is: "doubt", doubt };
      }
    }
  }
}

function framesOf(host: string, isAfterGap: boolean, frames: Buffer): Verdict {
  return areWholeFrames(frames) ? { is: "frames", host, isAfterGap, frames } : MALFORMED;
}

function doubtOf(text: string): Doubt | null {
  try {
    const value: unknown = JSON.parse(text);
    return isDoubt(value) ? value : null;
  } catch {
    // Not JSON.
    return null;
  }
}
