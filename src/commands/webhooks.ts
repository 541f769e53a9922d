/** `troupe webhook test`: sends `webhook.test` to the deployment's webhooks. Called by cli.ts. */

import type { Probe } from "../ports/outbound.ts";
import type { WebhookStore } from "../ports/webhooks.ts";
import { isId } from "../protocol/ids.ts";
import type { OptionsResult } from "./options.ts";

export interface WebhookCommand {
  /** Null: all of them. */
  id: string | null;
}

export function readWebhookOptions(args: string[]): OptionsResult<WebhookCommand> {
  const [act, id = null, ...more] = args;
  if (act !== "test" || more.length > 0) {
    return { ok: false, problem: "webhook wants the word test, and the id of a webhook or none" };
  }
  if (id !== null && !isId(id)) {
    return { ok: false, problem: `"${id}" should be the id of a webhook` };
  }
  return { ok: true, options: { id } };
}

/** The exit code: 0 where all took it. */
export async function testWebhooks(
  webhooks: Pick<WebhookStore, "list" | "target">,
  probe: Probe,
  { id }: WebhookCommand,
  write: (line: string) => void,
): Promise<number> {
  const all = await webhooks.list();
  const chosen = all.filter((webhook) => id === null || webhook.id === id);
  if (chosen.length === 0) {
    write(id === null ? "There are no webhooks." : `There is no webhook ${id}.`);
    return 1;
  }
  let isWell = true;
  for (const { id, url, enabled, parked } of chosen) {
    const target = await webhooks.target(id);
    if (target === null) continue;
    const { delivered, status, problem, ms } = await probe.test(id, target);
    const outcome = delivered ? `took it (${status})` : `did not take it: ${problem}`;
    const state = [
      ...(enabled ? [] : ["disabled"]),
      ...(parked.length > 0 ? [`${parked.length} keys parked`] : []),
    ];
    const note = state.length > 0 ? ` [${state.join(", ")}]` : "";
    write(`${id}  ${url}  ${outcome} in ${ms} ms${note}`);
    isWell = isWell && delivered;
  }
  return isWell ? 0 : 1;
}
