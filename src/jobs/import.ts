/**
 * Imports the lines of a file: each is judged by itself, then all of them together, and only then the
 * first one is written. The command line runs the same.
 *
 * [IMP1] A file with a line that is wrong writes nothing, and the errors name their lines.
 * [IMP2] An import that is killed is continued: before all lines were found good it begins again, after
 *        that it writes the same lines, and what was written stays as it is. Its outcome is kept before
 *        the lines and the file go.
 * [IMP5] An import that is given up leaves neither lines nor a file; while these cannot be removed, its job
 *        waits and removes them later. Its error is that of its last try.
 * [IMP3] No event, webhook or notification comes of it, and it writes into no conversation that others
 *        than imports have written.
 */
import { isUtf8 } from "node:buffer";
import { Readable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { IMPORT, importKey } from "../base/import-files.ts";
import { type ByteSource, entryOf, isZip } from "../base/unzip.ts";
import type { FileStore } from "../ports/files.ts";
import type { ImportCounts, ImportProblem, ImportStore, StagedLine } from "../ports/imports.ts";
import type { HeldJob, JobEnd, JobError } from "../ports/jobs.ts";
import type { Result } from "../protocol/errors.ts";
import { type ImportLineType, PASSED_OVER } from "../protocol/import-lines.ts";
import { later, type Monotonic } from "../protocol/time.ts";
import { type JobHandlers, type JobRun, TRIES_MAX } from "./runner.ts";

/** Problems that an answer names. */
const PROBLEMS_MAX = 100;
const LINE_BYTES_MAX = 512 * 1024;
/** Lines that are in memory together, and their bytes. */
const STAGED_AT_ONCE = 500;
const STAGED_BYTES_MAX = 4 * 1024 * 1024;
const CONVERSATIONS_AT_ONCE = 25;
const NEWLINE = 0x0a;
const NULL_ESCAPE = /(?<!\\)(?:\\\\)*\\u0000/;
const NUMBER = /^\d+$/;

/** Reads a line of each type: refuses invalid_payload, with the problems. */
export type LineReaders = Readonly<
  Record<ImportLineType, (value: unknown) => Result<Record<string, unknown>>>
>;

export interface ImportRun {
  store: ImportStore;
  readers: LineReaders;
  /** Names the import: the same one continues. */
  key: string;
  source: ByteSource;
  /** False: stop, somebody else goes on with it. */
  progress(progress: object): Promise<boolean>;
  /** Keeps how it ended. False as above. */
  keep(outcome: ImportOutcome): Promise<boolean>;
  isStopped(): boolean;
}

export type ImportOutcome = { ok: true; counts: ImportCounts } | { ok: false; error: JobError };

class Stopped extends Error {}
const NOT_OURS = "the job is another host's now";

export async function runImport(run: ImportRun): Promise<ImportOutcome> {
  const { store, key } = run;
  const { id, isGood } = await store.begin(key);
  const problem = (isGood ? null : await judgeAll(run, id)) ?? (await writeAll(run, id));
  const outcome: ImportOutcome =
    problem === null ? { ok: true, counts: await store.counts(id) } : { ok: false, error: problem };
  if (!(await run.keep(outcome))) throw new Stopped(NOT_OURS);
  await store.end(id);
  return outcome;
}

/** Null: all lines are good, and here. */
async function judgeAll(run: ImportRun, id: string): Promise<JobError | null> {
  const { store } = run;
  await store.clear(id);
  const problems = await stageAll(run, id);
  if (problems.length > 0) return errorOf(problems, false);
  await reported(run, { step: "checking" });
  const found = await store.problems(id, PROBLEMS_MAX);
  if (found.length > 0) {
    return errorOf(
      found,
      found.every(({ isConflict }) => isConflict),
    );
  }
  await store.accept(id);
  return null;
}

async function stageAll(run: ImportRun, id: string): Promise<ImportProblem[]> {
  const problems: ImportProblem[] = [];
  let staged: StagedLine[] = [];
  let stagedBytes = 0;
  let n = 0;
  const flush = async () => {
    if (problems.length === 0 && staged.length > 0) await run.store.stage(id, staged);
    staged = [];
    stagedBytes = 0;
    await reported(run, { step: "reading", lines: n });
  };
  try {
    for await (const bytes of linesOf(await textOf(run.source))) {
      n++;
      const read = bytes === null ? "is longer than 512 KiB" : readLine(bytes, n, run.readers);
      if (typeof read === "string") problems.push({ line: n, problem: read });
      else if (read !== null) {
        staged.push(read);
        stagedBytes += bytes?.length ?? 0;
      }
      if (problems.length >= PROBLEMS_MAX) break;
      if (staged.length >= STAGED_AT_ONCE || stagedBytes >= STAGED_BYTES_MAX) await flush();
    }
  } catch (fault) {
    if (!(fault instanceof Error) || !isOfTheFile(fault)) throw fault;
    problems.push({ line: n + 1, problem: fault.message });
  }
  await flush();
  return problems;
}

/** A damaged archive, and not a store that is away. */
const isOfTheFile = (fault: Error): boolean =>
  fault.message.startsWith("The archive ") ||
  (fault as NodeJS.ErrnoException).code?.startsWith("Z_") === true;

/** Null: the line says nothing. A text: what is wrong with it. */
function readLine(bytes: Buffer, n: number, readers: LineReaders): StagedLine | string | null {
  if (!isUtf8(bytes)) return "is not valid UTF-8";
  const text = bytes.toString("utf8").trim();
  if (text === "") return null;
  if (NULL_ESCAPE.test(text)) return "has a NUL in a text";
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "is not valid JSON";
  }
  if (typeof value !== "object" || value === null) return "is not an object";
  const { type } = value as { type?: unknown };
  if (typeof type === "string" && PASSED_OVER.has(type)) return null;
  if (typeof type !== "string" || !Object.hasOwn(readers, type)) {
    return `has no type that is known: ${Object.keys(readers).join(", ")}`;
  }
  const read = readers[type as ImportLineType](value);
  if (!read.ok) return read.error.message;
  return stagedOf(type as ImportLineType, read.value, n);
}

function stagedOf(
  type: ImportLineType,
  line: Record<string, unknown>,
  n: number,
): StagedLine | string {
  const text = (key: string) => line[key] as string | undefined;
  const staged = (
    ref: string,
    usr?: string,
    seq?: unknown,
    client_id?: string | null,
  ): StagedLine => ({
    n,
    type,
    ref,
    usr: usr ?? null,
    seq: (seq as number | undefined) ?? null,
    client_id: client_id ?? null,
    line,
  });
  switch (type) {
    case "user":
      // Nothing is left of somebody who was erased but that they were there.
      if (line["erased_at"] !== undefined)
        return { ...staged(text("external_id")!), line: erasedOf(line) };
      return (line["issuer"] === undefined) === (line["subject"] === undefined)
        ? staged(text("external_id")!)
        : "has one of issuer and subject without the other";
    case "conversation":
      return staged(text("external_id")!);
    case "member":
      return staged(text("conversation")!, text("user"));
    case "message":
      if (line["deleted_at"] !== undefined && (line["body"] ?? "") !== "")
        return "is deleted and has a body";
      return staged(
        text("conversation")!,
        text("sender"),
        line["seq"],
        text("external_id") ?? text("client_id"),
      );
    case "reaction":
      return staged(text("conversation")!, text("user"), line["seq"]);
    case "follow":
      return staged(text("follower")!, text("followee"));
    case "block":
      return staged(text("blocker")!, text("blocked"));
    case "post": {
      const name = text("external_id") ?? text("id");
      return name === undefined
        ? "has neither an external_id nor an id"
        : staged(postName(name), text("author"));
    }
    case "comment":
      return staged(postName(text("post_id")!), text("author"));
    case "like":
      return staged(postName(text("post_id")!), text("user"));
  }
}

/** The ids that exports write are names, too. */
const postName = (name: string) => (NUMBER.test(name) ? `troupe:${name}` : name);

const erasedOf = ({ type, external_id, created_at }: Record<string, unknown>) => ({
  type,
  external_id,
  created_at,
  display_name: "",
});

async function writeAll(run: ImportRun, id: string): Promise<JobError | null> {
  const { store } = run;
  for (let after: string | null = "0"; after !== null; ) {
    await reported(run, { step: "users" });
    after = await store.writeUsers(id, after);
  }
  let messages = 0;
  for await (const names of store.conversations(id)) {
    for (let at = 0; at < names.length; at += CONVERSATIONS_AT_ONCE) {
      await reported(run, { step: "conversations", messages });
      const added = await store.writeConversations(id, names.slice(at, at + CONVERSATIONS_AT_ONCE));
      if (added === null) {
        return {
          code: "conflict",
          message: "A conversation has been written by others than imports.",
        };
      }
      messages += added;
    }
  }
  for (let after: string | null = "0"; after !== null; ) {
    await reported(run, { step: "graph" });
    after = await store.writeGraph(id, after);
  }
  return null;
}

async function reported(run: ImportRun, progress: object): Promise<void> {
  if (run.isStopped() || !(await run.progress(progress))) {
    throw new Stopped(NOT_OURS);
  }
}

function errorOf(problems: readonly ImportProblem[], isConflict: boolean): JobError {
  const [first] = problems;
  const more = problems.length > 1 ? ` And ${problems.length - 1} more.` : "";
  return {
    code: isConflict ? "conflict" : "invalid_payload",
    message: `Nothing was imported. Line ${first!.line}: ${first!.problem}.${more}`,
    details: problems.map(({ line, problem }) => ({ line, problem })),
  };
}

/** The text of a file, which may be an archive that an export made. */
async function textOf(source: ByteSource): Promise<AsyncIterable<Uint8Array>> {
  if (source.size >= 4) {
    for await (const head of await source.read(0, 3)) {
      if (isZip(head)) return entryOf(source, "data.jsonl");
    }
  }
  return source.size === 0 ? Readable.from([]) : source.read(0, source.size - 1);
}

/** Null: a line that is too long. */
async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer | null> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const some of source) {
    const chunk = Buffer.from(some.buffer, some.byteOffset, some.length);
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      bytes += at - from;
      yield bytes > LINE_BYTES_MAX ? null : Buffer.concat([...parts, chunk.subarray(from, at)]);
      parts = [];
      bytes = 0;
      from = at + 1;
    }
    bytes += chunk.length - from;
    // A copy: the source may use its buffer again.
    if (bytes <= LINE_BYTES_MAX) parts.push(Buffer.from(chunk.subarray(from)));
    else parts = [];
  }
  if (bytes > 0) yield bytes > LINE_BYTES_MAX ? null : Buffer.concat(parts);
}

interface ImportJobsDeps {
  store: ImportStore;
  files: Pick<FileStore, "read" | "remove">;
  readers: LineReaders;
  clock: Clock;
}

const REPORT_MS = 1_000;
const CLEAN_AGAIN_MS = 60_000;
/** In the progress of a job whose import has ended, with its outcome. */
const ENDED = "ended";

export function importJobs({ store, files, readers, clock }: ImportJobsDeps): JobHandlers {
  return {
    async [IMPORT](job, run) {
      const { name, bytes } = job.args as { name: string; bytes: number };
      const key = importKey(name);
      const kept = keptIn(job.progress);
      if (kept !== null) return cleaned(key, kept, job, run);
      try {
        return await imported(key, bytes, run);
      } catch (fault) {
        if (run.signal.aborted || job.attempts < TRIES_MAX) throw fault;
        const message = fault instanceof Error ? fault.message : String(fault);
        const outcome: ImportOutcome = { ok: false, error: { code: "internal", message } };
        return cleaned(key, outcome, job, run);
      }
    },
  };

  /** [IMP5] */
  async function cleaned(
    key: string,
    outcome: ImportOutcome,
    { attempts }: HeldJob,
    { signal, progress }: JobRun,
  ): Promise<JobEnd> {
    try {
      if (!(await progress({ step: ENDED, outcome }))) throw new Stopped(NOT_OURS);
      await store.end((await store.begin(key)).id);
      await files.remove(key);
    } catch (fault) {
      if (signal.aborted || attempts < TRIES_MAX) throw fault;
      const message = fault instanceof Error ? fault.message : String(fault);
      const error = outcome.ok ? { code: "internal", message } : outcome.error;
      return { is: "retry", inMs: CLEAN_AGAIN_MS, error };
    }
    return endOf(outcome);
  }

  async function imported(
    key: string,
    bytes: number,
    { signal, progress }: JobRun,
  ): Promise<JobEnd> {
    let dueMs: Monotonic = later(clock.monotonicMs(), REPORT_MS);
    let isOurs = true;
    const outcome = await runImport({
      store,
      readers,
      key,
      source: {
        size: bytes,
        async read(from, to) {
          const found = await files.read(key, from, to);
          if (found === null) throw new Error("the spooled file is not there");
          return found;
        },
      },
      async progress(done) {
        if (dueMs <= clock.monotonicMs()) {
          dueMs = later(clock.monotonicMs(), REPORT_MS);
          isOurs = await progress(done);
        }
        return isOurs;
      },
      keep: (outcome) => progress({ step: ENDED, outcome }),
      isStopped: () => signal.aborted,
    });
    await files.remove(key);
    return endOf(outcome);
  }
}

function keptIn(progress: object | null | undefined): ImportOutcome | null {
  const { step, outcome } = (progress ?? {}) as { step?: string; outcome?: ImportOutcome };
  return step === ENDED && outcome !== undefined ? outcome : null;
}

function endOf(outcome: ImportOutcome): JobEnd {
  return outcome.ok
    ? { is: "done", result: outcome.counts }
    : { is: "failed", error: outcome.error };
}
