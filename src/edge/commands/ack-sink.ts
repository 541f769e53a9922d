/** How a command is answered, exactly once. */
import type { ErrorObject } from "../../protocol/errors.ts";

export interface AckSink {
  /** `body`: JSON text of what `{ok: true}` adds, "{}" for nothing. */
  ok(body: string): void;
  refuse(error: ErrorObject): void;
}
