/**
 * The little that the front door needs below `net.Socket`: to stop reading before a socket's
 * handle is sent (bytes that arrive meanwhile would be read here and lost), and to see
 * whether it has been sent. It uses Node's internal `_handle`, pinned by
 * test/integration/front-door.
 */
import type { Worker } from "node:cluster";
import type { Socket } from "node:net";

interface StreamHandle {
  readStop(): number;
  readStart(): number;
}

function handleOf(socket: Socket): StreamHandle | null {
  return (socket as unknown as { _handle: StreamHandle | null })._handle;
}

export function stopReading(socket: Socket): void {
  handleOf(socket)?.readStop();
}

export function startReading(socket: Socket): void {
  handleOf(socket)?.readStart();
}

/** False once it is closed, or its handle is on its way to a worker. */
export function isOurs(socket: Socket): boolean {
  return !socket.destroyed && handleOf(socket) !== null;
}

/**
 * Makes Node forget which server a socket came from, so that sending it neither counts it in
 * the worker nor makes `server.close()` wait for workers.
 */
export function detachFromServer(socket: Socket): void {
  (socket as unknown as { server: null }).server = null;
}

/**
 * Closes the handle that a dead worker never acknowledged. Node 20 keeps it open for ever when
 * the channel ends with one on its way, and the client would wait as long.
 */
export function closeUnacknowledged(worker: Worker): void {
  const target = worker.process as unknown as {
    _pendingMessage: { handle: { close(): void } } | null;
  };
  const pending = target._pendingMessage;
  if (pending === null || pending === undefined) return;
  target._pendingMessage = null;
  pending.handle.close();
}
