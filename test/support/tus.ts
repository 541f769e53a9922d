/** tus-js-client, a client of tus that others have written, and a line to the server that breaks. */
import { connect, createServer, type Socket } from "node:net";

export interface TusUpload {
  url: string | null;
  start(): void;
  abort(): Promise<void>;
}

export interface TusOptions {
  endpoint: string;
  headers: Record<string, string>;
  metadata: Record<string, string>;
  chunkSize?: number;
  retryDelays: number[];
  uploadDataDuringCreation?: boolean;
  onProgress?(bytes: number): void;
  onSuccess(): void;
  onError(fault: Error): void;
}

type Client = new (bytes: Buffer, options: TusOptions) => TusUpload;

/** Resolves to the address of the upload. */
export async function uploadWithTus(
  bytes: Buffer,
  options: Omit<TusOptions, "onSuccess" | "onError">,
): Promise<string> {
  const name: string = "tus-js-client";
  const { Upload } = (await import(name)) as { Upload: Client };
  return new Promise((resolve, reject) => {
    const upload = new Upload(bytes, {
      ...options,
      onSuccess: () => resolve(upload.url ?? ""),
      onError: reject,
    });
    upload.start();
  });
}

export interface BreakingLine {
  url: string;
  cuts(): number;
  close(): Promise<void>;
}

/** Passes connections on, and cuts each when it has carried so many bytes, `cutsMax` times in all. */
export function breakingLine(to: URL, everyBytes: number, cutsMax: number): Promise<BreakingLine> {
  const open = new Set<Socket>();
  let cuts = 0;
  const server = createServer((near) => {
    const far = connect(Number(to.port), to.hostname);
    let carried = 0;
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (chunk: Buffer) => {
      carried += chunk.length;
      if (carried < everyBytes || cuts >= cutsMax) return;
      cuts++;
      near.destroy();
    });
    near.pipe(far);
    far.pipe(near);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      resolve({
        url: `http://127.0.0.1:${port}`,
        cuts: () => cuts,
        close: () =>
          new Promise((closed) => {
            for (const socket of open) socket.destroy();
            server.close(() => closed());
          }),
      });
    });
  });
}
