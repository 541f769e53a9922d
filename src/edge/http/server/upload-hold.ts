/**
 * One request's hold on an upload that comes in parts: a lease that is renewed while bytes come.
 *
 * Held → renewed every `RENEW_MS` → released by its request; or ended: another request of the same
 * uploader waits for it, the lease could not be renewed, or hardly any bytes came. Then the
 * connection is cut, and the client continues from the stored bytes.
 *
 * [UPH1] No two requests write to an upload at once, on whichever workers they are.
 * [UPH2] The hold of a worker that is killed ends by itself within `LEASE_MS`.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../../base/clock.ts";
import type { UploadTable } from "../../../ports/uploads.ts";
import { later, type Monotonic, msBetween } from "../../../protocol/time.ts";

const LEASE_MS = 5_000;
const RENEW_MS = 1_500;
/** How long a request waits for another one to end; longer than a lease. */
const WAIT_MS = 7_000;
const TRY_MS = 250;
/** Less than this in `PACE_MS` is no upload but an idle connection. */
const PACE_BYTES = 16 * 1024;
const PACE_MS = 30_000;

export class UploadHold {
  readonly #table: UploadTable;
  readonly #id: string;
  readonly #holder: string;
  readonly #clock: Clock;
  #untilMs: Monotonic;
  #cancel: () => void = () => undefined;
  #isOver = false;
  #bytes = 0;
  #pacedMs: Monotonic;
  #paced = 0;

  private constructor(
    table: UploadTable,
    id: string,
    holder: string,
    clock: Clock,
    askedMs: Monotonic,
  ) {
    this.#table = table;
    this.#id = id;
    this.#holder = holder;
    this.#clock = clock;
    this.#untilMs = later(askedMs, LEASE_MS);
    this.#pacedMs = askedMs;
  }

  /** Null: another request goes on holding it. */
  static async take(table: UploadTable, id: string, clock: Clock): Promise<UploadHold | null> {
    const holder = randomUUID();
    const begunMs = clock.monotonicMs();
    for (;;) {
      const askedMs = clock.monotonicMs();
      if (await table.hold(id, holder, LEASE_MS)) {
        return new UploadHold(table, id, holder, clock, askedMs);
      }
      if (msBetween(begunMs, clock.monotonicMs()) > WAIT_MS) return null;
      await new Promise<void>((resolve) => clock.after(TRY_MS, resolve));
    }
  }

  /** Renews it until it is released. `end` is called when it is over before that. */
  keep(end: () => void): void {
    this.#cancel = this.#clock.after(RENEW_MS, () => void this.#renew(end));
  }

  /** False: what is written now may be written by somebody else, too. */
  get isHeld(): boolean {
    return !this.#isOver && msBetween(this.#clock.monotonicMs(), this.#untilMs) > 0;
  }

  count(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Rejects when storage is out of reach; then it ends with its lease. */
  async release(): Promise<void> {
    this.#cancel();
    this.#isOver = true;
    await this.#table.release(this.#id, this.#holder);
  }

  async #renew(end: () => void): Promise<void> {
    const askedMs = this.#clock.monotonicMs();
    let found: "kept" | "wanted" | "lost" = "kept";
    try {
      found = await this.#table.renew(this.#id, this.#holder, LEASE_MS);
      if (found !== "lost") this.#untilMs = later(askedMs, LEASE_MS);
    } catch {
      // Storage is out of reach: the lease says how long it may go on.
    }
    if (this.#isOver) return;
    if (found === "kept" && this.isHeld && !this.#isIdle(askedMs)) this.keep(end);
    else {
      this.#isOver = true;
      end();
    }
  }

  #isIdle(nowMs: Monotonic): boolean {
    if (msBetween(this.#pacedMs, nowMs) < PACE_MS) return false;
    const isIdle = this.#bytes - this.#paced < PACE_BYTES;
    this.#pacedMs = nowMs;
    this.#paced = this.#bytes;
    return isIdle;
  }
}
