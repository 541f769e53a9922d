/** [PRV] The privacy of users who have chosen nothing, where the deployment chose for them. */
import { expect, it } from "vitest";
import type { Privacy } from "../../src/protocol/privacy.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { expectRefusal } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({
  workers: 1,
  env: { PRIVACY_DEFAULTS: "contacts, nobody, false, contacts, contacts, false" },
});

it("[PRV12] PRIVACY_DEFAULTS holds until a user chooses", async () => {
  const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
  const read = async () => (await ann.api.get<Privacy>("/api/me/privacy")).body;
  expect(await read()).toEqual({
    ...{ presence: "contacts", last_seen: "nobody", receipts: false },
    ...{ direct: "contacts", add_consent: "contacts", discoverable: false },
  });
  const [anns, bobs] = [await ann.connects(), await bob.connects()];
  const statusOf = async (other: Person) =>
    (await bobs.does("watch_presence", { user_ids: [other.id] })).statuses[0]?.status;
  expect(await statusOf(ann)).toBe("offline");
  const direct = { member_ids: [ann.id] };
  expectRefusal(await bob.api.post("/api/conversations", direct), "forbidden");
  await ann.follows(bob);
  await bob.follows(ann);
  expect(await statusOf(ann)).toBe("online");
  const { id } = expectStatus(await bob.api.post<Conversation>("/api/conversations", direct), 201);
  await bob.posts(id, "hello");
  await anns.does("mark_read", { conversation_id: id, seq: 1 });
  const joined = await bobs.does("join_conversation", { conversation_id: id });
  expect(joined.conversation.members.find(({ user_id }) => user_id === ann.id)?.read_seq).toBe(0);
  const chosen = await ann.api.patch<Privacy>("/api/me/privacy", { receipts: true });
  expect(chosen.body).toMatchObject({ receipts: true, presence: "contacts" });
});
