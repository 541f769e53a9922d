/** An S3-compatible store that others have written, in this process, behind a wire that can be cut. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Wire } from "./redis.ts";

interface Server {
  run(): Promise<{ port: number }>;
  close(): Promise<void>;
}
interface S3rverModule {
  default: new (options: object) => Server;
}

const BUCKET = "troupe-files";
const CREDENTIALS = { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };

export class ObjectStore {
  readonly wire: Wire;
  readonly #server: Server;
  readonly #folder: string;

  private constructor(server: Server, wire: Wire, folder: string) {
    this.#server = server;
    this.wire = wire;
    this.#folder = folder;
  }

  static async start(): Promise<ObjectStore> {
    const name: string = "s3rver";
    const { default: S3rver } = (await import(name)) as S3rverModule;
    const folder = await mkdtemp(join(tmpdir(), "troupe-s3-"));
    const server = new S3rver({
      address: "127.0.0.1",
      port: 0,
      silent: true,
      directory: folder,
      configureBuckets: [{ name: BUCKET, configs: [] }],
    });
    const { port } = await server.run();
    return new ObjectStore(server, await Wire.to(port), folder);
  }

  get address() {
    return {
      endpoint: `http://127.0.0.1:${this.wire.port}`,
      region: "us-east-1",
      bucket: BUCKET,
      prefix: "chat/files/",
      accessKeyId: CREDENTIALS.AWS_ACCESS_KEY_ID,
      secretAccessKey: CREDENTIALS.AWS_SECRET_ACCESS_KEY,
      sessionToken: null,
    };
  }

  /** The variables of a host that keeps its files here. */
  get env(): Record<string, string> {
    const { endpoint, bucket } = this.address;
    const query = new URLSearchParams({ endpoint, region: "us-east-1" });
    return { FILES_URL: `s3://${bucket}/chat/files?${query}`, ...CREDENTIALS };
  }

  /** The keys of all objects, without those of the server itself. */
  async keys(): Promise<string[]> {
    const names = await readdir(join(this.#folder, BUCKET), { recursive: true });
    const objects = names.filter((name) => name.endsWith("._S3rver_object"));
    return objects.map((name) => name.slice(0, -"._S3rver_object".length)).sort();
  }

  async stop(): Promise<void> {
    await this.wire.close();
    await this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
