/** Rate limits, on as they are by default: abuse is answered, then ended; others notice nothing. */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { expectErrorObject, expectRefusal, upTo } from "../support/expectations.ts";
import type { Answer, ErrorAnswer } from "../support/http.ts";
import type { AckAnswer, Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const FLOOD_DEADLINE_MS = 30_000;
const troupe = troupeForFile({ workers: 2, env: { RATE_LIMITS: "on" } });

/** Emits without waiting until the server ends it; all acknowledgements in their order. */
async function floods(session: Session, event: string, payload: () => object) {
  const acks: AckAnswer[] = [];
  const deadlineMs = performance.now() + FLOOD_DEADLINE_MS;
  while (session.isConnected && performance.now() < deadlineMs) {
    for (const _ of upTo(100)) {
      session.socket.emit(event, payload(), (ack: AckAnswer) => acks.push(ack));
    }
    // The loop must turn, or nothing leaves and no end is noticed.
    await delay(10);
  }
  return acks;
}

describe("events", () => {
  it.each([
    [
      "sends",
      "send_message",
      (id: string, i: number) => ({ conversation_id: id, client_id: `${i}`, body: "x" }),
    ],
    [
      "typing",
      "typing",
      (id: string, i: number) => ({ conversation_id: id, is_typing: i % 2 === 0 }),
    ],
    ["malformed payloads", "send_message", () => ({ nonsense: true })],
    ["unknown events", "nonsense", () => ({})],
  ] as const)(
    "[CTR-LIM1] a flood of %s is answered rate_limited, then the session is ended and closed",
    async (_, event, payload) => {
      const [ann, bob] = await troupe().users("ann", "bob");
      const direct = await ann!.startsDirect(bob!);
      const [flooding, other] = [await ann!.connects(), await bob!.connects()];
      let count = 0;
      const flood = floods(flooding, event, () => payload(direct.id, count++));
      const meanwhile = await other.does("join_conversation", { conversation_id: direct.id });
      expect(meanwhile.conversation.id).toBe(direct.id);
      const acks = await flood;
      const limited = acks.filter((ack) => ack.error?.code === "rate_limited");
      expect(limited.length).toBeGreaterThan(0);
      for (const { error } of limited) expect(error!.retry_after_ms).toBeGreaterThan(0);
      const ended = await flooding.next("session_ended");
      expect(ended.code).toBe("rate_limited");
      await flooding.untilDisconnected();
      expect((await other.sends(direct.id, "unharmed")).sender_id).toBe(bob!.id);
      // The last event that the session received was the announcement of its end.
      const names = flooding.record.filter(({ kind }) => kind === "event").map(({ name }) => name);
      expect(names.at(-1)).toBe("session_ended");
    },
  );

  it("[CTR-LIM2] an ordinary pace is never limited", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    const session = await ann!.connects();
    for (const i of upTo(30)) {
      await session.types(direct.id, i % 2 === 0);
      if (i % 2 === 0) await session.sends(direct.id, `${i}`);
    }
    await session.syncs({});
    expect(session.heard("session_ended")).toEqual([]);
  });

  it("[CTR-LIM3] after retry_after_ms it works again", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    const session = await ann!.connects();
    let refused: Awaited<ReturnType<Session["emits"]>> | undefined;
    for (let i = 0; i < 5000 && refused === undefined; i += 20) {
      const answers = await Promise.all(
        upTo(20).map((k) =>
          session.emits("send_message", {
            conversation_id: direct.id,
            client_id: `${i + k}`,
            body: "x",
          }),
        ),
      );
      refused = answers.find((answer) => !answer.ok);
    }
    expectErrorObject(refused!.error!, "rate_limited");
    await session.never("session_ended", refused!.error!.retry_after_ms! + 1000);
    await session.sends(direct.id, "patience");
  });
});

describe("HTTP", () => {
  it("[CTR-LIM4] guessing one account's password is limited, with Retry-After", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const guess = () =>
      troupe().http.post("/api/auth/login", {
        username: ann!.user.username,
        password: "a wrong guess",
      });
    let answer = await guess();
    for (let i = 0; i < 60 && answer.status === 401; i++) answer = await guess();
    const error = expectRefusal(answer, "rate_limited");
    expect(error.retry_after_ms).toBeGreaterThan(0);
    const seconds = Number(answer.headers["retry-after"]);
    expect(seconds).toBe(Math.ceil(error.retry_after_ms! / 1000));
    expect((await bob!.signsInAgain()).user).toEqual(bob!.user);
  });

  it("[CTR-LIM5] a flood of calls by one user is 429, and others' calls are served", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const answers: Answer<ErrorAnswer>[] = [];
    for (let i = 0; i < 60 && !answers.some(({ status }) => status === 429); i++) {
      answers.push(...(await Promise.all(upTo(50).map(() => ann!.api.get("/api/me")))));
    }
    const limited = answers.find(({ status }) => status === 429);
    const error = expectRefusal(limited!, "rate_limited");
    expect(error.retry_after_ms).toBeGreaterThan(0);
    expect(Number(limited!.headers["retry-after"])).toBeGreaterThan(0);
    expect((await bob!.api.get("/api/me")).status).toBe(200);
  });
});
