/**
 * The operator's page at `/ops` in a real Chromium, over two hosts with real Redis and people
 * who talk. Skipped, saying so, where no Chromium is found (CHROMIUM_PATH). Screenshots go to
 * TROUPE_SHOTS or a scratch directory that is printed; `readme-ops` is the one in .github/.
 */
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Troupe } from "../support/cluster.ts";
import { ClusterOfHosts, connectsTo } from "../support/cluster-of-hosts.ts";
import { eventually } from "../support/eventually.ts";
import { axeFaults, SHIFT_MAX, USABLE_MS_MAX, usableAtMs, watchesLoads } from "../support/looks.ts";
import type { Person } from "../support/person.ts";
import { whyNoRedis } from "../support/redis.ts";
import { serviceTokenOf } from "../support/service.ts";
import type { Session } from "../support/session.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const CHROMIUM = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";
const hasChromium = existsSync(CHROMIUM);
if (!hasChromium) console.warn(`operator's page tests skipped: no Chromium at ${CHROMIUM}`);

const DESKTOP = { viewport: { width: 1360, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const RETURN_DEADLINE_MS = 20_000;
/** A late event loop stays on the page for ten seconds and more, as intended. */
const WELL_DEADLINE_MS = 40_000;
const WELL_TEST_MS = 90_000;
/** Between two messages of the talk that goes on in the background. */
const TALK_EVERY_MS = 40;

describe.skipIf(!hasChromium || whyNoRedis !== null)("the operator's page", () => {
  let cluster: ClusterOfHosts;
  let browser: Browser;
  let shots: string;
  let token: string;
  let ann: Person;
  let talkers: Session[];
  let talk: { id: string };
  let isTalking = true;
  let talking: Promise<void>;
  const pages: { page: Page; faults: string[] }[] = [];

  const host = (n: number): Troupe => cluster.hosts[n]!;

  beforeAll(async () => {
    shots = process.env["TROUPE_SHOTS"] ?? (await mkdtemp(join(tmpdir(), "troupe-ops-")));
    console.info(`screenshots: ${shots}`);
    token = await serviceTokenOf(JWT_SECRET, ["ops"]);
    cluster = await ClusterOfHosts.start(2, { WORKERS: "2" });
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    });
    ann = await host(0).user("ann");
    const others = await host(0).users("ben", "cem", "dan", "eve");
    talk = await ann.startsGroup(...others);
    talkers = await Promise.all(
      [ann, ...others].map((person, n) => connectsTo(host(n % 2), person)),
    );
    talking = talkOn();
  });

  /** Somebody always talks, so that there is something to see. */
  async function talkOn(): Promise<void> {
    for (let n = 0; isTalking; n++) {
      const speaker = talkers[n % talkers.length]!;
      const payload = { conversation_id: talk.id, client_id: `talk-${n}`, body: `message ${n}` };
      await speaker.tries("send_message", payload, 2_000);
      await new Promise((resolve) => setTimeout(resolve, TALK_EVERY_MS));
    }
  }

  afterEach(async () => {
    const faults = pages.flatMap((opened) => opened.faults);
    for (const { page } of pages.splice(0)) await page.context().close();
    expect(faults).toEqual([]);
  });

  afterAll(async () => {
    isTalking = false;
    await talking;
    await browser?.close();
    await cluster?.discard();
  });

  async function opens(options: BrowserContextOptions = DESKTOP, on = host(0)): Promise<Page> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const faults: string[] = [];
    page.setDefaultTimeout(10_000);
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (line) => {
      if (line.text().includes("Content Security Policy")) faults.push(line.text());
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(on.url)) faults.push(`asked ${request.url()}`);
      if (request.url().includes(token)) faults.push(`a token in ${request.url()}`);
    });
    pages.push({ page, faults });
    await page.goto(`${on.url}/ops`);
    return page;
  }

  async function signsIn(page: Page, withToken = token): Promise<void> {
    await page.fill("#token", withToken);
    await page.press("#token", "Enter");
  }

  async function opensBoard(options: BrowserContextOptions = DESKTOP): Promise<Page> {
    const page = await opens(options);
    await signsIn(page);
    await page.waitForSelector('.board[data-link="live"] .worker');
    return page;
  }

  async function finds(page: Page, kind: "User" | "Message", text: string): Promise<void> {
    await page.click(`.kinds-choice button:text-is("${kind}")`);
    await page.fill("#find", text);
    await page.press("#find", "Enter");
  }

  it("[OPP] asks for a token, says what is wrong with one, keeps a good one for the tab only", async () => {
    const page = await opens();
    await signsIn(page, "nonsense");
    await page.waitForSelector('#token-problem:text-is("This token is not valid.")');
    await signsIn(page, ann.token);
    await page.waitForSelector('#token-problem:text-is("This token lacks the scope ops.")');
    await page.screenshot({ path: join(shots, "token.png") });
    await signsIn(page);
    await page.waitForSelector('.board[data-link="live"]');
    await page.reload();
    await page.waitForSelector('.board[data-link="live"]');
    expect(page.url()).toBe(`${host(0).url}/ops`);
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain(token);
    await page.click('button[aria-label="Forget the token"]');
    await page.waitForSelector("#token");
    await page.reload();
    await page.waitForSelector("#token");
  });

  it("[OPP] shows every host and worker with what happens on it, live", {
    timeout: WELL_TEST_MS,
  }, async () => {
    const page = await opensBoard();
    expect(await page.locator(".host").count()).toBe(2);
    expect(await page.locator('.worker[data-phase="online"]').count()).toBe(4);
    const shown = (await page.locator(".process").allTextContents()).join(" ");
    for (const n of [0, 1]) {
      for (const pid of host(n).pids().workers) expect(shown).toContain(`pid ${pid}`);
    }
    const number = async (tile: string) =>
      Number(await page.locator(`[data-tile="${tile}"] .tile-number`).textContent());
    await eventually("five sessions are counted", async () => (await number("sessions")) === 5);
    await eventually("messages flow", async () => (await number("messages")) > 1);
    await eventually("deliveries flow", async () => (await number("deliveries")) > 4);
    await page.waitForSelector('[data-tile="send-commit"] .tile-note:has-text("99 % within")');
    await page.waitForSelector('[data-tile="commit-delivery"] .tile-note:has-text("99 % within")');
    await page.waitForSelector('.shared-box[data-kind="redis"][data-state="well"]');
    await page.waitForSelector('.shared-box[data-kind="database"]:has-text("connections")');
    await page.waitForSelector('.health[data-is="well"]:has-text("2 hosts, 4 workers")', {
      timeout: WELL_DEADLINE_MS,
    });
    await eventually(
      "the charts are drawn",
      async () => {
        const path = await page.locator('[data-tile="messages"] .spark-line').getAttribute("d");
        return (path ?? "").split("L").length > 8;
      },
      20_000,
    );
    await page.screenshot({ path: join(shots, "readme-ops.png"), fullPage: true });
  });

  it("[OPP] finds a user on both hosts, marks where they are, and ends their sessions", async () => {
    const page = await opensBoard();
    const gus = await host(0).user("gus");
    const here = await connectsTo(host(0), gus);
    const there = await connectsTo(host(1), gus, { transports: ["polling"] });
    await finds(page, "User", `@${gus.user.username}`);
    await page.waitForSelector(`.card[data-user="${gus.id}"] .chip:text-is("online")`);
    for (const session of [here, there]) {
      await page.waitForSelector(`tr[data-session="${session.id}"]`);
    }
    expect(await page.locator(".worker[data-mark-sessions]").count()).toBe(2);
    expect(await page.locator(".worker[data-mark-actor]").count()).toBe(1);
    await page.screenshot({ path: join(shots, "user.png"), fullPage: true });

    await page.click('.card button:text-is("End 2 sessions")');
    await page.click('dialog button:text-is("Cancel")');
    expect(here.isConnected && there.isConnected).toBe(true);
    await page.click('.card button:text-is("End 2 sessions")');
    await page.click('dialog button:text-is("End sessions")');
    for (const session of [here, there]) {
      const ended = await session.next("session_ended");
      expect(ended).toMatchObject({ code: "ended_by_operator", reconnect: true });
    }
    await page.waitForSelector('.said:text-is("Ended 2 sessions.")');
    await page.waitForSelector('.card .nothing:text-is("No session anywhere.")');
    expect(talkers.every((session) => session.isConnected)).toBe(true);

    await finds(page, "User", gus.id);
    await page.waitForSelector(`.card[data-user="${gus.id}"]`);
    await finds(page, "User", "nobody_of_that_name");
    await page.waitForSelector('.said:text-is("There is no user “nobody_of_that_name”.")');
  });

  it("[OPP] tells where a message is, by place and by id", async () => {
    const page = await opensBoard();
    const [ida, joe] = await host(0).users("ida", "joe");
    const direct = await ida!.startsDirect(joe!);
    const [i, j] = [await connectsTo(host(0), ida!), await connectsTo(host(1), joe!)];
    const message = await i.sends(direct.id, "where are you?");
    await j.next("message");
    const places = [`${direct.id}/${message.seq}`, message.id];
    await finds(page, "Message", places[0]!);
    await page.waitForSelector('.steps [data-step="committed"][data-is="done"]');
    await page.waitForSelector('.steps [data-step="read"][data-is="open"]');
    await j.marksRead(direct.id, message.seq);
    await eventually("it is shown as read", async () => {
      await finds(page, "Message", places[1]!);
      await page.waitForSelector(`.card[data-message="${message.id}"]`);
      return (await page.locator('.steps [data-step="read"][data-is="done"]').count()) === 1;
    });
    expect(await page.content()).not.toContain("where are you?");
    await page.screenshot({ path: join(shots, "message.png"), fullPage: true });
    await finds(page, "Message", `${direct.id}/999`);
    await page.waitForSelector('.said:has-text("is not committed")');
  });

  it("[OPP] a killed worker shows as a fault, and its replacement takes its place", async () => {
    const page = await opensBoard();
    const pid = await host(1).killWorker(0);
    await page.waitForSelector('.faults [data-event="worker_lost"]');
    await page.waitForSelector('.faults [data-event="worker_exited"]:has-text("SIGKILL")');
    await page.waitForSelector('.faults [data-event="worker_online"]', {
      timeout: RETURN_DEADLINE_MS,
    });
    await page.waitForFunction(
      (gone) => {
        const workers = [...document.querySelectorAll('.worker[data-phase="online"]')];
        return workers.length === 4 && !workers.some((one) => one.textContent?.includes(gone));
      },
      `pid ${pid}`,
      { timeout: RETURN_DEADLINE_MS },
    );
    await page.screenshot({ path: join(shots, "fault.png"), fullPage: true });
  });

  it("[OPP] fits a phone, dark and light, without anything to scroll sideways", {
    timeout: WELL_TEST_MS,
  }, async () => {
    for (const colorScheme of ["dark", "light"] as const) {
      const page = await opensBoard({ ...PHONE, colorScheme });
      await finds(page, "User", ann.user.username);
      await page.waitForSelector(`.card[data-user="${ann.id}"]`);
      await page.waitForSelector('[data-tile="messages"] .spark-line[d*="L"]', {
        state: "attached",
      });
      const [inner, outer] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        document.documentElement.clientWidth,
      ]);
      expect(inner).toBeLessThanOrEqual(outer!);
      await page.screenshot({ path: join(shots, `phone-${colorScheme}.png`), fullPage: true });
    }
    const page = await opensBoard({ ...DESKTOP, colorScheme: "dark" });
    await page.waitForSelector('.health[data-is="well"]', { timeout: WELL_DEADLINE_MS });
    await page.screenshot({ path: join(shots, "dark.png"), fullPage: true });
  });

  it.each([
    ["desktop", "light", DESKTOP],
    ["desktop", "dark", DESKTOP],
    ["phone", "light", PHONE],
    ["phone", "dark", PHONE],
  ] as const)("[OPP] axe finds no fault, on a %s, %s", async (size, colorScheme, options) => {
    const page = await opens({ ...options, colorScheme });
    const faults: string[] = [];
    const look = async (what: string): Promise<void> => {
      faults.push(...(await axeFaults(page)).map((fault) => `${what}: ${fault}`));
      const path = join(shots, `axe-${size}-${colorScheme}-${what}.png`);
      await page.screenshot({ path, fullPage: true });
    };
    await look("token");
    await signsIn(page, "nonsense");
    await page.waitForSelector('#token-problem:text-is("This token is not valid.")');
    await look("refused");
    await signsIn(page);
    await page.waitForSelector('.board[data-link="live"] .worker');
    await page.waitForSelector('[data-tile="messages"] .spark-line[d*="L"]', { state: "attached" });
    await look("board");
    await finds(page, "User", ann.user.username);
    await page.waitForSelector(`.card[data-user="${ann.id}"]`);
    await look("user");
    await page.click('.card button:text-matches("^End ")');
    await page.waitForSelector("dialog[open]");
    await look("dialog");
    await page.click('dialog button:text-is("Cancel")');
    await finds(page, "Message", `${talk.id}/1`);
    await page.waitForSelector('.steps [data-step="committed"][data-is="done"]');
    await look("message");
    await finds(page, "User", "nobody_of_that_name");
    await page.waitForSelector('.said:text-is("There is no user “nobody_of_that_name”.")');
    await look("nobody");
    expect(faults).toEqual([]);
  });

  it("[OPP] a load moves nothing and is usable within a second", async () => {
    const page = await opensBoard();
    const { shift } = await watchesLoads(page);
    const tookMs: number[] = [];
    // The quickest of three: what else the machine does is not the page's.
    for (let n = 0; n < 3; n++) {
      await page.reload({ waitUntil: "commit" });
      tookMs.push(await usableAtMs(page, "#find", '.board[data-link="live"] .worker'));
      await page.waitForLoadState("networkidle");
      expect(await shift(), "what moved while it loaded").toBeLessThanOrEqual(SHIFT_MAX);
    }
    console.info(`usable after ${tookMs.map(Math.round).join(", ")} ms`);
    expect(Math.min(...tookMs)).toBeLessThanOrEqual(USABLE_MS_MAX);
  });

  it("[OPP] a host that freezes is shown as silent; the asked host going away is said", async () => {
    const page = await opensBoard();
    const { primary } = host(1).pids();
    process.kill(primary, "SIGSTOP");
    try {
      await page.waitForSelector('.host[data-silent]:has-text("Does not answer")');
      await page.waitForSelector('.health[data-is="bad"]:has-text("does not answer")');
      await page.screenshot({ path: join(shots, "silent.png"), fullPage: true });
    } finally {
      process.kill(primary, "SIGCONT");
    }
    await page.context().setOffline(true);
    await page.waitForSelector('.board[data-link="cut"] .health:has-text("No answer")');
    await page.screenshot({ path: join(shots, "cut.png") });
    await page.context().setOffline(false);
    await page.waitForSelector('.board[data-link="live"]');
  });
});
