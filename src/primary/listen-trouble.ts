/** Why a port cannot be listened on, as a sentence that says what to do. */
import { createServer } from "node:net";
import { errorCode, StartRefusal } from "../base/errors.ts";

/** `variable`: the configuration's name of the port. */
export function listenTrouble(
  error: unknown,
  port: number,
  host: string,
  variable: "PORT" | "METRICS_PORT" = "PORT",
): string {
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return `Port ${port} is taken by another program: stop it, or set ${variable} to a free one.`;
    case "EACCES":
      return `Port ${port} needs rights that this user does not have: set ${variable} to 1024 or above.`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `HOST ${host} is no address of this machine: use one that is, or 0.0.0.0.`;
    default:
      return `Cannot listen on ${host} port ${port}: ${error instanceof Error ? error.message : error}.`;
  }
}

/**
 * Looks whether the port can be listened on, so that a start which must fail does so before it has
 * started PostgreSQL and workers. Throws a StartRefusal. Somebody may still take it meanwhile.
 */
export async function checkPort(
  port: number,
  host: string,
  variable: "PORT" | "METRICS_PORT" = "PORT",
): Promise<void> {
  if (port === 0) return;
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host }, () => server.close(() => resolve()));
    });
  } catch (error) {
    throw new StartRefusal(listenTrouble(error, port, host, variable), { cause: error });
  }
}
