/**
 * Watches how much waits for the other side of a line (a thread or a process). Used by BatchLink
 * and Pipe, which report how many bytes wait and how much has been taken so far.
 *
 * [LPR1] When more than `highBytes` wait, the sender is asked once to stop taking new work; when
 *        `lowBytes` or fewer wait, it is asked once to resume.
 * [LPR2] A side that takes nothing for `deadAfterMs` while the line is full counts as dead. Time in
 *        which this side was stopped itself does not count.
 * [LPR3] Work that began before the line was full can still add to it. Beyond `maxBytes` the line
 *        is ended, so that memory stays bounded.
 */

export interface PressureMarks {
  highBytes: number;
  lowBytes: number;
  deadAfterMs: number;
  maxBytes: number;
}

export interface PressureSource {
  /** Bytes that the other side has not taken yet. */
  queuedBytes(): number;
  /** A figure that changes whenever the other side takes something. */
  progress(): number;
  /** The line became full, or has room again. */
  changed(isFull: boolean): void;
  dead(why: Error): void;
}

const TICKS = 30;
const MEGABYTE = 1024 * 1024;

export class Pressure {
  readonly #marks: PressureMarks;
  readonly #source: PressureSource;
  #timer: NodeJS.Timeout | null = null;
  #progress = 0;
  #ticksWithoutProgress = 0;

  constructor(marks: PressureMarks, source: PressureSource) {
    this.#marks = marks;
    this.#source = source;
  }

  get isFull(): boolean {
    return this.#timer !== null;
  }

  /** Called whenever bytes were added or taken. */
  look(): void {
    const { highBytes, lowBytes, maxBytes } = this.#marks;
    const queuedBytes = this.#source.queuedBytes();
    if (queuedBytes > maxBytes) this.#die(`${megabytes(queuedBytes)} wait for the other side`);
    else if (this.#timer === null) {
      if (queuedBytes > highBytes) this.#fill();
    } else if (queuedBytes <= lowBytes) this.#relieve();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #fill(): void {
    this.#progress = this.#source.progress();
    this.#ticksWithoutProgress = 0;
    this.#timer = setInterval(() => this.#tick(), this.#marks.deadAfterMs / TICKS);
    this.#timer.unref();
    this.#source.changed(true);
  }

  #relieve(): void {
    this.close();
    this.#source.changed(false);
  }

  /** Ticks are counted, not the time: a process that was stopped gets one tick for all of it. */
  #tick(): void {
    this.look();
    if (this.#timer === null) return;
    const progress = this.#source.progress();
    if (progress !== this.#progress) {
      this.#progress = progress;
      this.#ticksWithoutProgress = 0;
      return;
    }
    this.#ticksWithoutProgress++;
    if (this.#ticksWithoutProgress < TICKS) return;
    const { deadAfterMs } = this.#marks;
    const waiting = megabytes(this.#source.queuedBytes());
    this.#die(
      `the other side has read nothing for ${deadAfterMs} ms, while ${waiting} wait for it`,
    );
  }

  #die(why: string): void {
    this.close();
    this.#source.dead(new Error(why));
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / MEGABYTE)} MB`;
}
