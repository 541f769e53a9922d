/**
 * A worker that may open no more files answers a socket that it was handed with NODE_HANDLE_NACK, and
 * Node hands the socket over again. If the client has closed it meanwhile, there is no handle to send
 * any more, the worker answers once more, and an assertion in Node ends the process that handed it
 * over (seen in 20.20): with the primary the whole host would be gone.
 */
import type { ChildProcess } from "node:child_process";

/** Node's own: null while no handle is on its way. */
type Internals = { _handleQueue?: unknown[] | null };

const ANSWERS: ReadonlySet<unknown> = new Set(["NODE_HANDLE_ACK", "NODE_HANDLE_NACK"]);

/** Ignores answers to handles of which none is on its way. */
export function ignoreSurplusHandleAnswers(child: ChildProcess): void {
  const emit = child.emit.bind(child) as (name: string | symbol, ...args: unknown[]) => boolean;
  child.emit = (name: string | symbol, ...args: unknown[]): boolean => {
    const { cmd } = (name === "internalMessage" ? args[0] : {}) as { cmd?: unknown };
    const isWaiting = Array.isArray((child as Internals)._handleQueue);
    if (ANSWERS.has(cmd) && !isWaiting) return true;
    return emit(name, ...args);
  };
}
