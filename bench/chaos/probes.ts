/**
 * Observes the hosts from outside while they run: each host's /readyz and memory all the time,
 * and on request whether presence is right, whether everyone is back, and who is shown as typing.
 */
import type { Status } from "../../src/protocol/schemas.ts";
import { api } from "../support/api.ts";
import type { HostBox } from "../support/host-box.ts";
import { until } from "../support/waiting.ts";
import type { Recorder } from "./history.ts";
import type { Person, Scene } from "./scene.ts";

const SAMPLE_MS = 500;
/** Promise 4: within the grace period, and within 10 s after a process died. */
export const PRESENCE_TRUE_WITHIN_MS = 10_000;
/** The grace period plus the time a disconnect needs on a busy machine. */
const SURELY_OFFLINE_AFTER_MS = 7000;

/** Samples readiness and memory until stopped. */
export class Sampler {
  readonly #timer: NodeJS.Timeout;
  readonly #recorder: Recorder;
  readonly #busy = new Set<HostBox>();

  constructor(hosts: HostBox[], recorder: Recorder) {
    this.#recorder = recorder;
    this.#timer = setInterval(() => {
      for (const host of hosts) void this.#sample(host);
    }, SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #sample(host: HostBox): Promise<void> {
    if (this.#busy.has(host)) return;
    this.#busy.add(host);
    const { status, word } = await host.readiness();
    const atMs = this.#recorder.nowMs();
    this.#recorder.add({ kind: "ready_sample", atMs, host: host.index, status, word });
    const workerRssMbMax = host.workerRssMbMax();
    if (workerRssMbMax > 0) {
      this.#recorder.add({ kind: "memory_sample", atMs, host: host.index, workerRssMbMax });
    }
    this.#busy.delete(host);
  }
}

type Expected = "online" | "offline" | "either";

/** Asks every host until all answers agree with the sessions; records the result and its time. */
export async function probePresence(
  why: string,
  hosts: HostBox[],
  scene: Scene,
  recorder: Recorder,
  deadlineMs = PRESENCE_TRUE_WITHIN_MS,
): Promise<boolean> {
  let wrong: string[] = [];
  const ids = scene.people.map((person) => person.userId).join(",");
  const isTrue = async () => {
    const found: string[] = [];
    for (const host of hosts) {
      const { login } = scene.people[0]!;
      if (login.isStale) await login.renew(host.port);
      const { token } = login;
      const path = `/api/presence?user_ids=${ids}`;
      const answer = await api<{ items: Status[] }>(host.port, "GET", path, { token });
      if (answer.status !== 200 || answer.body === null) {
        found.push(`${host.name} answers ${answer.status}`);
        continue;
      }
      for (const person of scene.people) {
        const expected = expectedOf(person, recorder.nowMs());
        const told = answer.body.items.find((item) => item.user_id === person.userId)?.status;
        if (expected === "either" || told === expected) continue;
        found.push(
          `${host.name} says ${told ?? "nothing"} of ${person.login.username}, ${expected}`,
        );
      }
    }
    wrong = found;
    return found.length === 0;
  };
  const trueAfterMs = await until(isTrue, deadlineMs, 100);
  const atMs = recorder.nowMs();
  recorder.add({ kind: "presence_probe", atMs, why, trueAfterMs, wrong });
  return trueAfterMs !== null;
}

function expectedOf(person: Person, nowMs: number): Expected {
  if (person.clients.some((client) => client.liveForMs(nowMs) > 0)) {
    return "online";
  }
  const haveLeft = person.clients.every(
    (client) => client.isResting && nowMs - client.restingSinceMs > SURELY_OFFLINE_AFTER_MS,
  );
  return haveLeft ? "offline" : "either";
}
