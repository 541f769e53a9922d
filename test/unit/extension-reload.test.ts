/** A reload in all workers of a host, with workers that answer as the test says. */
import pino from "pino";
import { expect, it } from "vitest";
import type { Extensions, RenewalOrder } from "../../src/config/extensions.ts";
import { Renewal, type RenewedPart } from "../../src/extensions/renewal.ts";
import { type ReloadedWorker, reloadWorkers } from "../../src/primary/extension-reload.ts";

const extensions: Extensions = {
  generation: 2,
  dir: "/",
  bundles: [],
  namespaces: [],
  actors: [],
  hooks: [],
  redisPrefix: null,
};

type Step = RenewalOrder["step"];

/** Two workers; `wrong` says what the second one answers. */
async function reloads(
  wrong: Partial<Record<Step, string>>,
  { isGone = false, comesUp = true } = {},
) {
  const happened: string[] = [];
  const worker = (name: string, problems: Partial<Record<Step, string>>): ReloadedWorker => ({
    name,
    async order({ step, extensions: { generation } }) {
      happened.push(`${name} ${step}${generation === 1 ? " former" : ""}`);
      return problems[step] ?? null;
    },
    isGone: () => problems !== NONE && isGone,
  });
  const workers = [worker("one", NONE), worker("two", wrong)];
  const problem = await reloadWorkers(extensions, {
    former: { ...extensions, generation: 1 },
    workers: () => workers,
    startWith: ({ generation }) => happened.push(`generation ${generation}`),
    async replace({ name }) {
      happened.push(`${name} replaced`);
      return comesUp;
    },
    log: pino({ level: "silent" }),
  });
  return { problem, happened };
}
const NONE = {};

it("[XRL1] a worker that cannot load the files leaves all as they are", async () => {
  const { problem, happened } = await reloads({ prepare: "a mistake" });
  expect(problem).toBe("a mistake");
  expect(happened).toEqual(["one prepare", "two prepare", "one abandon", "two abandon"]);
});

it("[XRL1] a worker that does not take over what it has loaded is replaced on the new files", async () => {
  const { problem, happened } = await reloads({ adopt: "it did not answer" });
  expect(problem).toBeNull();
  expect(happened.slice(2)).toEqual(["generation 2", "one adopt", "two adopt", "two replaced"]);
});

it("[XRL1] where no other comes up in its place all go back to the former files", async () => {
  const { problem, happened } = await reloads({ adopt: "it hangs" }, { comesUp: false });
  expect(problem).toBe("it hangs");
  expect(happened.slice(5)).toEqual([
    ...["two replaced", "generation 1"],
    ...["one adopt former", "two adopt former"],
  ]);
});

it("[XRL1] one that has died meanwhile begins with the new files by itself", async () => {
  const { problem, happened } = await reloads({ prepare: "gone", adopt: "gone" }, { isGone: true });
  expect(problem).toBeNull();
  expect(happened).not.toContain("two replaced");
});

it("[RNW1] a part that fails to take over is answered with why", async () => {
  const part: RenewedPart = {
    prepare: async () => null,
    adopt: () => Promise.reject(new Error("the thread has gone")),
    abandon: () => undefined,
  };
  const renewal = new Renewal([part]);
  expect(await renewal.order({ step: "prepare", extensions })).toBeNull();
  expect(await renewal.order({ step: "adopt", extensions })).toBe("the thread has gone");
});
