/** [SUS] Who is suspended is out everywhere within a second, and in again when it is lifted. */
import { afterEach, describe, expect, it } from "vitest";
import type { User } from "../../src/protocol/schemas.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { ClusterOfHosts, connectsTo } from "../support/cluster-of-hosts.ts";
import { eventually } from "../support/eventually.ts";
import { expectErrorObject, expectRefusal, upTo } from "../support/expectations.ts";
import { Api } from "../support/http.ts";
import { Issuer, issuerKey, signedBy } from "../support/issuer.ts";
import { type Login, PASSWORD, type Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

/** The contract's second, and what a test's own waiting adds. */
const WITHIN_MS = 1_500;
/** An edge looks every 5 s for what it did not hear. */
const UNHEARD_WITHIN_MS = 9_000;
const TRIES = 6;

const suspend = (service: Service, id: string) => service.api.post(`/api/users/${id}/suspend`);
const restore = (service: Service, id: string) => service.api.delete(`/api/users/${id}/suspend`);

async function isPutOut(session: Session, withinMs: number): Promise<void> {
  const ended = await session.next("session_ended", undefined, withinMs);
  expect(ended).toMatchObject({ code: "suspended", reconnect: false });
  await session.untilDisconnected();
}

describe("on one host", () => {
  const troupe = troupeForFile({ workers: 2 });
  const login = (person: Person) =>
    troupe().http.post<Login>("/api/auth/login", {
      username: person.user.username,
      password: PASSWORD,
    });
  const refresh = (token: string) =>
    troupe().http.post<Login>("/api/auth/refresh", { refresh_token: token });

  it("[SUS2] live sessions end on every worker, others go on, and nothing lets the user in", async () => {
    const admin = await Service.of(troupe(), "admin");
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const talk = await ann.startsDirect(bob);
    const live = await troupe().sessionOnEachWorker(ann);
    const polling = await ann.connects({ transports: ["polling"] });
    const bobs = await bob.connects();

    const answer = await suspend(admin, ann.id);
    expect([answer.status, answer.body]).toEqual([200, { user_id: ann.id, suspended: true }]);
    await Promise.all([...live, polling].map((session) => isPutOut(session, WITHIN_MS)));
    for (const _ of upTo(TRIES)) {
      expectRefusal(await ann.api.get("/api/me"), "forbidden");
      expectErrorObject(await Session.refused(troupe(), { token: ann.token }), "forbidden");
      expectErrorObject(await bobs.isRefused("refresh_token", { token: ann.token }), "forbidden");
    }
    expectRefusal(await login(ann), "forbidden");
    expectRefusal(await refresh(ann.login.refresh_token), "forbidden");
    const again = { username: ann.user.username, password: PASSWORD };
    expectRefusal(await troupe().http.post("/api/auth/register", again), "conflict");
    await bobs.sends(talk.id, "bob goes on");

    expect((await restore(admin, ann.id)).body).toEqual({ user_id: ann.id, suspended: false });
    await eventually(
      "every worker lets ann in again",
      async () => {
        const calls = upTo(TRIES).map(() => ann.api.get("/api/me"));
        return (await Promise.all(calls)).every(({ status }) => status === 200);
      },
      WITHIN_MS,
    );
    expect((await refresh(ann.login.refresh_token)).status).toBe(200);
    expect((await login(ann)).status).toBe(200);
    const back = await ann.connects();
    await back.sends(talk.id, "back again");
  });

  it("[SUS3] only a service token with the scope admin suspends; unknown users are not found", async () => {
    const [admin, notify] = [
      await Service.of(troupe(), "admin"),
      await Service.of(troupe(), "notify"),
    ];
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    for (const method of ["POST", "DELETE"]) {
      const path = `/api/users/${bob.id}/suspend`;
      expectRefusal(await ann.api.request(method, path), "forbidden");
      expectRefusal(await notify.api.request(method, path), "forbidden");
      expectRefusal(await troupe().http.request(method, path), "unauthorized");
      const nobody = "/api/users/999999999/suspend";
      expectRefusal(await admin.api.request(method, nobody), "not_found");
      expectRefusal(await admin.api.request(method, "/api/users/bob/suspend"), "invalid_payload");
      for (const _ of upTo(3)) {
        const done = await admin.api.request(method, path);
        expect(done.body).toEqual({ user_id: bob.id, suspended: method === "POST" });
      }
    }
    await eventually("bob is in again", async () => {
      const calls = upTo(TRIES).map(() => bob.api.get("/api/me"));
      return (await Promise.all(calls)).every(({ status }) => status === 200);
    });
  });

  it("[SUS4] a worker that starts afterwards knows it from its first request on", async () => {
    const admin = await Service.of(troupe(), "admin");
    const ann = await troupe().user("ann");
    await suspend(admin, ann.id);
    const before = troupe().pids().workers;
    await troupe().killWorker(0);
    await eventually(
      "the dead worker is replaced",
      async () => {
        // Whatever answers meanwhile, it never lets ann in.
        const statuses = await Promise.all(
          upTo(TRIES).map(() => ann.api.get("/api/me").then(({ status }) => status)),
        );
        expect(statuses).not.toContain(200);
        const now = troupe().pids().workers;
        return now.length === before.length && now.some((pid) => !before.includes(pid));
      },
      15_000,
    );
    for (const _ of upTo(TRIES)) expectRefusal(await ann.api.get("/api/me"), "forbidden");
  });
});

describe("on several hosts", () => {
  let cluster: ClusterOfHosts | undefined;
  afterEach(async (context) => {
    if (context.task.result?.state === "fail") console.error(cluster?.logTail());
    await cluster?.discard();
    cluster = undefined;
  });

  it("[SUS5] every host hears of it at once, and finds it in storage while Redis is away", async () => {
    cluster = await ClusterOfHosts.start(2);
    const [here, there] = cluster.hosts as [Troupe, Troupe];
    const admin = await Service.of(here, "admin");
    const [ann, bob] = (await here.users("ann", "bob")) as [Person, Person];
    const annThere = await connectsTo(there, ann);
    const bobThere = await connectsTo(there, bob);

    await suspend(admin, ann.id);
    await isPutOut(annThere, WITHIN_MS);
    const annsCall = new Api(there.url, () => ann.token);
    expectRefusal(await annsCall.get("/api/me"), "forbidden");

    await cluster.redis.dies();
    await cluster.untilAway(there);
    await suspend(admin, bob.id);
    await restore(admin, ann.id);
    await isPutOut(bobThere, UNHEARD_WITHIN_MS);
    expectErrorObject(await Session.refused(there, { token: bob.token }), "forbidden");
    await eventually(
      "the other host lets ann in, too",
      async () => (await annsCall.get("/api/me")).status === 200,
      UNHEARD_WITHIN_MS,
    );
    // And a login that ends here while that host hears nothing.
    const annBack = await connectsTo(there, ann);
    await here.http.post("/api/auth/logout", { refresh_token: ann.login.refresh_token });
    const ended = await annBack.next("session_ended", undefined, UNHEARD_WITHIN_MS);
    expect(ended.code).toBe("logged_out");
  });
});

describe("with an outside issuer", () => {
  it("[SUS6] tokens that the issuer goes on giving out are of no use", async () => {
    const key = await issuerKey("one");
    const issuer = await Issuer.publishing(key);
    const troupe = await startTroupe({
      workers: 2,
      env: { ...issuer.env, SERVICE_SUBJECTS: "backoffice" },
    });
    try {
      const token = await signedBy(key, { sub: "auth0|ann" });
      const ann = await new Api(troupe.url, () => token).get<User>("/api/me");
      const admin = await signedBy(key, { sub: "backoffice", scope: "openid troupe:admin" });
      const office = new Api(troupe.url, () => admin);
      const live = await Session.open(troupe, "ann", { token });
      expect((await office.post(`/api/users/${ann.body.id}/suspend`)).status).toBe(200);
      await isPutOut(live, WITHIN_MS);
      for (const n of upTo(TRIES)) {
        const fresh = await signedBy(key, { sub: "auth0|ann", n });
        expectRefusal(await new Api(troupe.url, () => fresh).get("/api/me"), "forbidden");
        expectErrorObject(await Session.refused(troupe, { token: fresh }), "forbidden");
      }
      await office.delete(`/api/users/${ann.body.id}/suspend`);
      await eventually("ann is let in again", async () => {
        const calls = upTo(TRIES).map(() => new Api(troupe.url, () => token).get("/api/me"));
        return (await Promise.all(calls)).every(({ status }) => status === 200);
      });
    } finally {
      await troupe.stop();
      await issuer.goesAway();
    }
  });
});
