/** [ERA] Who is erased is out, has no name, and leaves nothing but an id. */
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Job } from "../../src/protocol/job-routes.ts";
import type { Message, User } from "../../src/protocol/schemas.ts";
import { createRecount } from "../../src/storage/postgres/recount.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { filesWith, rowsOf } from "../support/dump.ts";
import { EventReader } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal, upTo } from "../support/expectations.ts";
import { type Answer, Api } from "../support/http.ts";
import { Issuer, issuerKey, signedBy } from "../support/issuer.ts";
import { expectStatus, type Login, PASSWORD, Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const JOB_WITHIN_MS = 60_000;
/** Words that are nowhere else. */
const NAME = "Zaphodella";
const WORD = "quixotryword";
const AGENT = "Vogonphone/1.0";
const TRACES = [NAME, NAME.toLowerCase(), WORD, AGENT];

const messagesOf = (id: string) => `/api/conversations/${id}/messages`;

async function erases(api: Api, id: string, messages: "keep" | "erase"): Promise<string> {
  const answer = await api.delete<{ job_id: string }>(`/api/users/${id}?messages=${messages}`);
  return expectStatus(answer, 202).job_id;
}

function untilEnded(api: Api, id: string): Promise<Job> {
  return eventually(
    `job ${id} has ended`,
    async () => {
      const job = expectStatus(await api.get<Job>(`/api/jobs/${id}`), 200);
      return job.state === "done" || job.state === "failed" ? job : false;
    },
    JOB_WITHIN_MS,
  );
}

/** Sends many at a time. */
async function writes(person: Person, conversation: string, count: number): Promise<void> {
  const at = upTo(count);
  const sender = async () => {
    for (let n = at.shift(); n !== undefined; n = at.shift()) {
      await person.posts(conversation, `${WORD} ${n}`);
    }
  };
  await Promise.all(upTo(20).map(sender));
}

async function named(troupe: Troupe): Promise<Person> {
  const username = `${NAME.toLowerCase()}_${Date.now() % 1e6}`;
  const body = { username, password: PASSWORD, display_name: NAME };
  const headers = { "user-agent": AGENT };
  expectStatus(await troupe.http.post<Login>("/api/auth/register", body, { headers }), 201);
  const signed = await troupe.http.post<Login>(
    "/api/auth/login",
    { username, password: PASSWORD },
    { headers },
  );
  return Person.of(troupe, expectStatus(signed, 200));
}

describe("an erased user", () => {
  const troupe = troupeForFile({ workers: 2, env: { RATE_LIMITS: "off" } });

  it("[ERA1] leaves neither words nor name nor address in any table or file", async () => {
    const service = await Service.of(troupe(), "users", "moderate", "act");
    const reader = await EventReader.of(troupe());
    const [bob, eve] = (await troupe().users("bob", "eve")) as [Person, Person];
    const ann = await named(troupe());
    await ann.api.patch("/api/me", { data: { motto: WORD } });
    await ann.api.patch("/api/me/privacy", { discoverable: true });
    const direct = await ann.startsDirect(bob);
    const group = await ann.startsGroup(bob, eve);
    const file = await ann.uploads(`${WORD} in a file`, `${NAME}.txt`);
    await ann.posts(group.id, `${WORD} with a file`, [file]);
    await ann.uploads(`${WORD} loose`, `${NAME} too`);
    const pinned = await ann.posts(direct.id, `${WORD} @${bob.user.username}`);
    await ann.api.put(`/api/conversations/${direct.id}/pins/${pinned.seq}`);
    await bob.api.put(`${messagesOf(direct.id)}/${pinned.seq}/reactions/👍`);
    await ann.api.patch(`${messagesOf(direct.id)}/${pinned.seq}`, { body: `${WORD} edited` });
    await bob.posts(direct.id, "bob's own");
    const sendAt = new Date(Date.now() + 3_600_000).toISOString();
    const later = { client_id: "later", body: WORD, send_at: sendAt };
    await ann.api.post(`/api/conversations/${group.id}/scheduled`, later);
    expectStatus<unknown>(
      await ann.api.patch(`/api/conversations/${group.id}/prefs`, { draft: { body: WORD } }),
      200,
    );
    const post = await ann.publishes(WORD);
    const bobs = await bob.publishes("a post of bob's");
    await ann.comments(bobs, WORD);
    await ann.likes(bobs);
    await ann.follows(bob);
    await eve.follows(ann);
    const report = { subject: { conversation_id: direct.id, seq: pinned.seq }, reason: "abuse" };
    expectStatus<unknown>(await bob.api.post("/api/reports", report), 201);
    await service.api.post(`/api/users/${ann.id}/revoke`, undefined);
    const again = expectStatus(
      await troupe().http.post<Login>("/api/auth/login", {
        username: ann.user.username,
        password: PASSWORD,
      }),
      200,
    );
    const ann2 = Person.of(troupe(), again);
    await eventually("what she did is in others' tables", async () =>
      (await rowsOf(troupe().databaseUrl!)).some(
        (row) => row.startsWith("notifications") && row.includes(NAME),
      ),
    );

    const live = await ann2.connects({ contract: "1.1" });
    const bobNew = await bob.connects({ contract: "1.1" });
    const bobOld = await bob.connects();
    const job = await erases(service.api, ann.id, "erase");
    expect(await live.next("session_ended")).toMatchObject({ code: "suspended", reconnect: false });
    expectRefusal(await ann2.api.get("/api/me"), "forbidden");
    const erased = await bobNew.next(
      "messages_erased",
      ({ conversation_id }) => conversation_id === direct.id,
      JOB_WITHIN_MS,
    );
    expect(erased.seqs).toEqual([pinned.seq]);
    const former = await bobOld.next(
      "conversation_updated",
      ({ id, rev }) => id === direct.id && rev === erased.rev,
    );
    expect(former.members).toHaveLength(2);

    const ended = await untilEnded(service.api, job);
    expect(ended).toMatchObject({
      kind: "users.erase",
      state: "done",
      result: { messages: 2, files: 2, posts: 1, comments: 1, likes: 1, follows: 2, scheduled: 1 },
    });
    const rows = await rowsOf(troupe().databaseUrl!);
    const left = rows.filter((row) => TRACES.some((trace) => row.includes(trace)));
    expect(left).toEqual([]);
    expect(await filesWith(join(troupe().dataDir, "files"), TRACES)).toEqual([]);

    expect(await createRecount(troupe().databaseUrl!).recount(false)).toEqual([]);

    const shown = expectStatus(await bob.api.get<User>(`/api/users/${ann.id}`), 200);
    expect(shown).toMatchObject({
      id: ann.id,
      username: `erased.${ann.id}`,
      display_name: "",
      erased: true,
    });
    const history = expectStatus(
      await bob.api.get<{ items: Message[] }>(messagesOf(direct.id)),
      200,
    ).items;
    expect(history.map(({ body }) => body)).toEqual(["", "bob's own"]);
    expect(history[0]).toMatchObject({ sender_id: ann.id, deleted_at: expect.any(String) });
    expectRefusal(await bob.api.get(`/api/posts/${post.id}`), "not_found");
    expect((await bob.sees(bobs)).comment_count).toBe(0);
    expect((await bob.sees(bobs)).like_count).toBe(0);
    // She has left the group, which another owns now.
    const owned = expectStatus(
      await bob.api.get<{ owner_id: string; members: { user_id: string }[] }>(
        `/api/conversations/${group.id}`,
      ),
      200,
    );
    expect(owned.members.map(({ user_id }) => user_id)).not.toContain(ann.id);
    expect(owned.owner_id).not.toBe(ann.id);
    // The log tells of it, without her.
    const events = await reader.pullsAll();
    const own = events.filter(
      ({ key, rev }) => key === `conversation:${direct.id}` && rev !== undefined,
    );
    expect(own.at(-1)).toMatchObject({ type: "messages.erased", data: { seqs: [pinned.seq] } });
    expect(own.map(({ rev }) => rev)).toEqual(upTo(own.length).map((n) => own[0]!.rev! + n - 1));
    expect(events.find(({ type }) => type === "user.erased")).toMatchObject({
      data: { user: { id: ann.id } },
    });
    // Her name is not given away, and there is no way back.
    const taken = { username: ann.user.username, password: PASSWORD };
    expectRefusal(await troupe().http.post("/api/auth/register", taken), "conflict");
    expectRefusal(await troupe().http.post("/api/auth/login", taken), "unauthorized");
    expectRefusal(await service.api.post(`/api/users/${ann.id}/tokens`, {}), "forbidden");
  });

  it("[ERA5] keeps the messages where that is asked for, and the rest goes", async () => {
    const service = await Service.of(troupe(), "users");
    const ann = await named(troupe());
    const bob = await troupe().user("bob");
    const direct = await ann.startsDirect(bob);
    const file = await ann.uploads("to be kept", "kept.txt");
    await ann.posts(direct.id, "stays", [file]);
    const ended = await untilEnded(service.api, await erases(service.api, ann.id, "keep"));
    expect(ended).toMatchObject({ state: "done", result: { files: 0, messages: 0 } });
    const { items } = expectStatus(
      await bob.api.get<{ items: Message[] }>(messagesOf(direct.id)),
      200,
    );
    expect(items).toMatchObject([{ body: "stays", attachments: [{ name: "kept.txt" }] }]);
    const rows = await rowsOf(troupe().databaseUrl!);
    expect(rows.filter((row) => row.includes(NAME))).toEqual([]);
    // Asked for later, the messages go, too.
    const both = await untilEnded(service.api, await erases(service.api, ann.id, "erase"));
    expect(both).toMatchObject({ state: "done", result: { messages: 1, files: 1 } });
  });

  it("[ERA6] [ERA2] thousands of messages go in batches that sync lists whole; jobs are their asker's", async () => {
    const service = await Service.of(troupe(), "users");
    const ann = await named(troupe());
    const bob = await troupe().user("bob");
    const group = await ann.startsGroup(bob);
    await writes(ann, group.id, 2_500);
    const before = expectStatus(
      await bob.api.get<{ rev: number }>(`/api/conversations/${group.id}`),
      200,
    );
    const session = await bob.connects({ contract: "1.1" });
    const job = await erases(service.api, ann.id, "erase");
    expectRefusal((await bob.api.get(`/api/jobs/${job}`)) as Answer<never>, "not_found");
    expect(await untilEnded(service.api, job)).toMatchObject({ result: { messages: 2_500 } });

    const seqs: number[] = [];
    while (seqs.length < 2_500) seqs.push(...(await session.next("messages_erased")).seqs);
    expect(new Set(seqs).size).toBe(2_500);

    let afterRev = before.rev;
    const listed = new Set<number>();
    for (let isMore = true; isMore; ) {
      const answer = await session.syncs({ [group.id]: afterRev }, { complete: false });
      const [entry] = answer.conversations;
      for (const { seq, body, type } of entry?.messages ?? []) {
        if (type === "system") continue;
        expect(body).toBe("");
        listed.add(seq);
      }
      afterRev = entry?.rev ?? afterRev;
      isMore = answer.has_more;
    }
    expect(listed.size).toBe(2_500);
  });

  it("[ERA7] a user erases themselves with their password", async () => {
    const admin = await Service.of(troupe(), "admin");
    const ann = await troupe().user("ann");
    const wrong = { password: "a wrong one", messages: "erase" };
    expectRefusal(await ann.api.post("/api/me/erase", wrong), "forbidden");
    const right = { password: PASSWORD, messages: "erase" };
    const { job_id } = expectStatus(
      await ann.api.post<{ job_id: string }>("/api/me/erase", right),
      202,
    );
    expect(await untilEnded(admin.api, job_id)).toMatchObject({ state: "done" });
    expectRefusal(await ann.api.get("/api/me"), "forbidden");
    expect(await Session.refused(troupe(), { token: ann.token })).toMatchObject({
      code: "forbidden",
    });
  });
});

describe("an erasure", () => {
  let troupe: Troupe | undefined;
  afterEach(async () => {
    await troupe?.stop();
  });

  it("[ERA8] ends exactly, though its worker and then its host are killed", async () => {
    const env = { RATE_LIMITS: "off" };
    troupe = await startTroupe({ workers: 2, env });
    const first = troupe;
    const [ann, bob] = (await first.users("ann", "bob")) as [Person, Person];
    const groups = [];
    for (const _ of upTo(8)) {
      const group = await ann.startsGroup(bob);
      await writes(ann, group.id, 250);
      groups.push(group.id);
    }
    const service = await Service.of(first, "users");
    const job = await erases(service.api, ann.id, "erase");
    await eventually(
      "it runs",
      async () =>
        expectStatus(await service.api.get<Job>(`/api/jobs/${job}`), 200).state === "running",
      JOB_WITHIN_MS,
    );
    await first.killWorker(0);
    await first.killEverything();
    const { databaseUrl, dataDir } = first;
    troupe = await startTroupe({ workers: 2, env, databaseUrl: databaseUrl!, dataDir });
    const next = await Service.of(troupe, "users");
    expect(await untilEnded(next.api, job)).toMatchObject({
      state: "done",
      result: { messages: 2_000 },
    });
    const rows = await rowsOf(databaseUrl!);
    expect(rows.filter((row) => row.includes(WORD))).toEqual([]);
  });

  it("[ERA10] an outside issuer's user stays out, though the issuer goes on giving out tokens", async () => {
    const key = await issuerKey("one");
    const issuer = await Issuer.publishing(key);
    const env = { ...issuer.env, SERVICE_SUBJECTS: "backoffice" };
    troupe = await startTroupe({ workers: 2, env });
    try {
      const url = () => troupe!.url;
      const callsAs = async (claims: Record<string, unknown>) => {
        const token = await signedBy(key, claims);
        return new Api(url(), () => token);
      };
      const ann = await (await callsAs({ sub: "auth0|ann" })).get<User>("/api/me");
      const scope = "troupe:users troupe:admin";
      const office = await callsAs({ sub: "backoffice", scope });
      const job = await erases(office, ann.body.id, "erase");
      await untilEnded(office, job);
      expect(
        (await rowsOf(troupe.databaseUrl!)).filter((row) => row.includes("auth0|ann")),
      ).toEqual([]);
      // No worker remembers the subject.
      const before = troupe.pids().workers;
      troupe.signal("SIGHUP");
      await eventually(
        "both workers are new",
        () => {
          const now = troupe!.pids().workers;
          return now.length === 2 && !now.some((pid) => before.includes(pid));
        },
        JOB_WITHIN_MS,
      );
      const fresh = await callsAs({ sub: "auth0|ann", n: 1 });
      expectRefusal(await fresh.get("/api/me"), "forbidden");
    } finally {
      await issuer.goesAway();
    }
  });
});
