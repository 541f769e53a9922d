/**
 * Erases a user who has no name any more: a job of many short steps, each in a transaction of its
 * own. It goes through whole tables by their ids rather than by an index that every message, like
 * and notification would pay for.
 *
 * [ERA1] A step that was done before does nothing, and its place is stored: a job that is killed at
 *        any point continues from there, on any host.
 * [ERA2] Rows are counted in the transaction that deletes them, so the result is exact.
 * [ERA3] Messages are emptied by their conversation's actor, so that its members receive it in the
 *        order of its changes; in a deleted conversation nobody needs to.
 */
import type { ErasureState, ErasureStore, LoggedRow } from "../ports/erasures.ts";
import type { ErrorObject, Result } from "../protocol/errors.ts";
import type { UserId } from "../protocol/ids.ts";
import { asUserId } from "../protocol/schemas.ts";
import { emptiedEvent } from "./emptied-event.ts";
import type { JobHandlers, JobRun } from "./runner.ts";

export const ERASE_USER = "users.erase";

/** Messages that one change empties: the contract's bound of `messages_erased`. */
export const ERASED_TOGETHER_MAX = 200;

interface ErasureDeps {
  store: ErasureStore;
  gateway: {
    ask(
      kind: "conversation",
      id: string,
      op: "erase_messages" | "remove_member",
      body: object,
    ): Promise<Result<unknown>>;
  };
  /** Takes a file away, and out of the messages that show it. */
  retire(id: string): Promise<boolean>;
  /** Takes away every archive, since each may name the user. */
  dropExports(): Promise<void>;
}

interface Erasing {
  user: UserId;
  mode: ErasureState["mode"];
}

/** Does a part that begins after that id; the id up to which all is done, or null at the end. */
type Step = (erasing: Erasing, after: string) => Promise<string | null>;

export function erasureJobs({ store, gateway, retire, dropExports }: ErasureDeps): JobHandlers {
  async function emptyMessages({ user, mode }: Erasing, after: string): Promise<string | null> {
    if (mode === "keep") return null;
    const { last, found } = await store.conversationsWithMessages(user, after);
    for (const id of found) {
      for (let erased = ERASED_TOGETHER_MAX; erased === ERASED_TOGETHER_MAX; ) {
        const body = { user, most: ERASED_TOGETHER_MAX };
        const done = await gateway.ask("conversation", id, "erase_messages", body);
        if (done.ok) erased = (done.value as { erased: number }).erased;
        else if (done.error.code === "not_found") {
          erased = await store.eraseMessages(id, user, ERASED_TOGETHER_MAX);
        } else throw refusal(id, done.error);
      }
    }
    return last;
  }

  async function leave({ user }: Erasing, after: string): Promise<string | null> {
    const { last, found } = await store.memberships(user, after);
    for (const id of found) {
      const body = { user, user_id: user, session: "", isService: true };
      const done = await gateway.ask("conversation", id, "remove_member", body);
      // Left meanwhile, or deleted.
      if (!done.ok && done.error.code !== "not_found") throw refusal(id, done.error);
    }
    return last;
  }

  async function removeFiles({ user, mode }: Erasing): Promise<string | null> {
    for (let before = ""; ; ) {
      const ids = await store.files(user, mode);
      if (ids.length === 0) return null;
      // Taken away they are not listed again.
      if (ids[0] === before) throw new Error(`file ${before} could not be taken away`);
      before = ids[0]!;
      for (const id of ids) {
        if (!(await retire(id))) throw new Error(`file ${id} could not be removed now`);
        await store.noteFile(user);
      }
    }
  }

  async function emptyEvents({ user, mode }: Erasing, after: string): Promise<string | null> {
    const { last, found } = await store.events(after);
    const changed: LoggedRow[] = [];
    for (const { id, events } of found) {
      const emptied = events.map((event) => emptiedEvent(event, user, mode));
      if (emptied.every((event) => event === null)) continue;
      changed.push({ id, events: events.map((event, i) => emptied[i] ?? event) });
    }
    if (changed.length > 0) await store.replaceEvents(user, changed);
    return last;
  }

  /** In this order: the event log follows what writes to it. Erasures under way hold its numbers. */
  const steps: { name: string; take: Step }[] = [
    { name: "messages", take: emptyMessages },
    { name: "memberships", take: leave },
    { name: "files", take: removeFiles },
    { name: "posts", take: ({ user }, after) => store.eraseFromPosts(user, after) },
    { name: "notices", take: ({ user }, after) => store.eraseNotices(user, after) },
    {
      name: "account",
      take: ({ user }) => store.eraseAccount(user).then(() => null),
    },
    { name: "events", take: emptyEvents },
    { name: "exports", take: () => dropExports().then(() => null) },
  ];

  async function erase(user: UserId, { signal, progress }: JobRun): Promise<object> {
    const begun = await store.state(user);
    if (begun === null) throw new Error(`no erasure of user ${user} was begun`);
    const { mode } = begun;
    let { step, after } = begun;
    while (step < steps.length) {
      const { name, take } = steps[step]!;
      const isOurs = await progress({ step: name, of: steps.length, done: step });
      if (!isOurs || signal.aborted) throw new Error("the job is another host's now");
      const last = await take({ user, mode }, after);
      if (last === null) step++;
      after = last ?? "0";
      await store.goOn(user, step, after);
    }
    await store.finish(user);
    return (await store.state(user))?.counts ?? {};
  }

  return {
    async [ERASE_USER](job, run) {
      const { user } = job.args as { user: string };
      return { is: "done", result: await erase(asUserId(user), run) };
    },
  };
}

function refusal(id: string, { code, message }: ErrorObject): Error {
  return new Error(`conversation ${id}: ${code}: ${message}`);
}
