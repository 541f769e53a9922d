/**
 * Two hosts at once write to one conversation (as happens for a moment while membership views
 * differ), with retries of the same client_id on either host. fast-check prints the seed.
 */

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ActorPorts, Appended } from "../../actors/ports.ts";
import type { UserId } from "../../src/protocol/ids.ts";
import { retitle } from "../support/group-changes.ts";
import { edits } from "../support/message-changes.ts";
import {
  ADAPTERS,
  everyChange,
  granted,
  newGroup,
  newUsers,
  type OpenStorage,
  say,
} from "./adapters.ts";

interface Write {
  host: number;
  sender: number;
  /** Few values, so that many sends repeat an earlier one. */
  clientId: number;
  /** What happens beside: the latest message known is edited, or the title changed. */
  beside: "nothing" | "edit" | "retitle" | "mark";
  /** Whether to wait for everything sent so far first. */
  wait: boolean;
}

const writes: fc.Arbitrary<Write[]> = fc.array(
  fc.record({
    host: fc.nat(1),
    sender: fc.nat(2),
    clientId: fc.nat(25),
    beside: fc.oneof(
      { weight: 6, arbitrary: fc.constant("nothing" as const) },
      {
        weight: 1,
        arbitrary: fc.constantFrom("edit" as const, "retitle" as const, "mark" as const),
      },
    ),
    wait: fc.oneof(
      { weight: 9, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
  }),
  { minLength: 1, maxLength: 120 },
);

describe.each(ADAPTERS)("append in $name", ({ open }) => {
  let storage: OpenStorage;
  let members: UserId[];
  let hosts: ActorPorts[];
  beforeAll(async () => {
    storage = await open();
    members = await newUsers(storage, 3);
    hosts = [storage.host(), storage.host()];
  });
  afterAll(() => storage?.close());

  it("[ORD1] seq and rev are gapless and a client_id makes one message, whoever writes", async () => {
    await fc.assert(
      fc.asyncProperty(writes, async (plan) => {
        const group = await newGroup(storage, members);
        const sent: Promise<Appended>[] = [];
        const beside: Promise<unknown>[] = [];
        const resolvedRevs: number[][] = [[], []];
        for (const [i, { host, sender, clientId, beside: kind, wait }] of plan.entries()) {
          const ports = hosts[host]!;
          const by = members[sender]!;
          const appended = granted(say(ports, group, by, `${i}`, { clientId: `c${clientId}` }));
          sent.push(appended);
          beside.push(
            appended.then(({ message, duplicate }) => {
              if (!duplicate) resolvedRevs[host]!.push(message.rev);
            }),
          );
          if (kind === "edit") beside.push(edits(ports.conversations, group, 1, by, `edit ${i}`));
          if (kind === "retitle")
            beside.push(retitle(ports.conversations, group, by, `title ${i}`));
          if (kind === "mark") {
            const mark = { conversationId: group, userId: by, seq: 1, read: true };
            beside.push(ports.conversations.mark(mark));
          }
          if (wait) await Promise.all(sent);
        }
        const appended = await Promise.all(sent);
        await Promise.all(beside);

        const stored = await storage.conversations.newest(group, 1000);
        const distinct = new Set(plan.map(({ sender, clientId }) => `${sender} ${clientId}`));
        expect(stored.map(({ seq }) => seq)).toEqual(
          Array.from({ length: distinct.size }, (_, i) => i + 1),
        );
        expect(appended.filter(({ duplicate }) => !duplicate)).toHaveLength(distinct.size);
        for (const [i, { message }] of appended.entries()) {
          const { sender, clientId } = plan[i]!;
          expect(message).toMatchObject({
            sender_id: members[sender],
            client_id: `c${clientId}`,
            created_at: stored[message.seq - 1]?.created_at,
          });
        }
        for (const revs of resolvedRevs) expect(revs).toEqual(revs.toSorted((a, b) => a - b));

        const conversation = await storage.conversations.load(group);
        expect(conversation).toMatchObject({ last_seq: distinct.size });
        const revs = (await everyChange(storage, group)).map(({ rev }) => rev);
        expect(revs).toEqual(Array.from({ length: conversation!.rev }, (_, i) => i + 1));
        if (plan.every(({ beside: kind }) => kind === "nothing" || kind === "mark")) {
          expect(conversation?.rev).toBe(distinct.size + 1);
        }
      }),
      { numRuns: 12 },
    );
  });
});
