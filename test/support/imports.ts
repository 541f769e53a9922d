/** Imports over HTTP, and their jobs. */
import type { Job } from "../../src/protocol/job-routes.ts";
import { eventually } from "./eventually.ts";
import { expectStatus } from "./person.ts";
import type { Service } from "./service.ts";

const ENDS_WITHIN_MS = 60_000;

export const linesOf = (lines: object[]): string =>
  `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;

/** The id of the job. */
export async function beginsImport(service: Service, body: string | Buffer): Promise<string> {
  const headers = { "content-type": "application/x-ndjson" };
  const begun = await service.api.post<{ job_id: string }>("/api/imports", undefined, {
    raw: body,
    headers,
  });
  return expectStatus(begun, 202).job_id;
}

export function importEnds(service: Service, id: string): Promise<Job> {
  return eventually(
    `import ${id} has ended`,
    async () => {
      const job = expectStatus(await service.api.get<Job>(`/api/jobs/${id}`), 200);
      return job.state === "done" || job.state === "failed" ? job : false;
    },
    ENDS_WITHIN_MS,
  );
}

/** Ends as the job ends. */
export async function imports(service: Service, body: string | Buffer): Promise<Job> {
  return importEnds(service, await beginsImport(service, body));
}
