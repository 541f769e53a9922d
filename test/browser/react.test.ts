/**
 * `troupe-client/react` in a real Chromium: a small React application (test/support/react-app.tsx,
 * in StrictMode, so every effect runs twice) that another origin serves, against a real server.
 * What is watched is read off the socket's packets. Skipped, saying so, where no Chromium is
 * found (CHROMIUM_PATH).
 */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { Conversation } from "../../src/protocol/schemas.ts";
import type { Post } from "../../src/protocol/social.ts";
import { browserAppForFile } from "../support/browser-app.ts";
import { hasChromiumFor } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import type { Person } from "../support/person.ts";
import { type Screen, SLOW_MS, screensForFile } from "../support/screen.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

const PAGE = `<!doctype html><html lang="en"><link rel="icon" href="data:," /><title>An application</title>
<main></main><script type="module" src="/app.js"></script></html>`;

/** The application of one person in one browser, and what went over its sockets. */
class App {
  readonly screen: Screen;
  readonly page: Page;
  /** React and the SDK say there what is wrong with how they are used. */
  readonly complaints: string[] = [];
  readonly sent: string[] = [];
  readonly received: string[] = [];

  constructor(screen: Screen) {
    this.screen = screen;
    this.page = screen.page;
    this.page.on("console", (line) => {
      // Requests without a network are failed by the browser, which says so itself.
      const isNetworks = /ERR_INTERNET_DISCONNECTED/.test(line.text() + line.location().url);
      if (line.type() === "error" && !isNetworks) this.complaints.push(line.text());
    });
    this.page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => this.sent.push(String(payload)));
      socket.on("framereceived", ({ payload }) => this.received.push(String(payload)));
    });
    // Back from a lost network a client may come by long-polling.
    this.page.on("request", (request) => {
      if (request.method() === "POST" && request.url().includes("/socket.io/")) {
        this.sent.push(...(request.postData() ?? "").split("\u001e"));
      }
    });
  }

  async is(state: string): Promise<void> {
    await this.page.waitForSelector(`#head[data-link="${state}"]`, { timeout: SLOW_MS });
  }

  async turns(part: string): Promise<void> {
    await this.page.click(`#${part} .turn`);
  }

  async says(text: string): Promise<void> {
    await this.page.fill("#text", text);
    await this.page.press("#text", "Enter");
  }

  async sees(text: string, progress: string): Promise<void> {
    const row = `#messages li[data-progress="${progress}"]:text-is("${text}")`;
    await this.page.waitForSelector(row, { timeout: SLOW_MS });
  }

  async shows(selector: string, text: string): Promise<void> {
    // What is empty counts as hidden.
    await this.page.waitForSelector(`${selector}:text-is("${text}")`, {
      state: "attached",
      timeout: SLOW_MS,
    });
  }

  async bodies(): Promise<string[]> {
    return this.page.locator("#messages li").allTextContents();
  }

  /** How often this command has gone out with this id in it. */
  asked(event: string, id: string): number {
    return this.sent.filter(
      (packet) => packet.includes(`["${event}",`) && packet.includes(`"${id}"`),
    ).length;
  }

  heard(event: string): number {
    return this.received.filter((packet) => packet.includes(`["${event}",`)).length;
  }
}

describe.skipIf(!hasChromiumFor("tests of the React hooks"))("the React hooks", () => {
  const troupe = troupeForFile();
  const screens = screensForFile();
  const origin = browserAppForFile("./react-app.tsx", PAGE, {
    // With React's own checks: StrictMode does nothing in production.
    define: { "process.env.NODE_ENV": '"development"' },
  });

  const opens = async (who: Person, scene: Scene): Promise<App> => {
    const app = new App(await screens.open("about:blank"));
    const about = new URLSearchParams({
      url: troupe().url,
      token: who.token,
      talk: scene.talk.id,
      watched: scene.cleo.id,
      post: scene.post.id,
    });
    await app.page.goto(`${origin()}/#${about}`);
    await app.is("online");
    return app;
  };

  interface Scene {
    ada: Person;
    ben: Person;
    /** Nobody's peer: who hears of her has asked for it. */
    cleo: Person;
    talk: Conversation;
    post: Post;
  }

  const scene = async (): Promise<Scene> => {
    const [ada, ben, cleo] = (await troupe().users("ada", "ben", "cleo")) as [
      Person,
      Person,
      Person,
    ];
    return {
      ada,
      ben,
      cleo,
      talk: await ada.startsDirect(ben),
      post: await cleo.publishes("Anything"),
    };
  };

  it("[SDK42] two people talk, see each other type, and who is there, live", async () => {
    const set = await scene();
    const cleos = await set.cleo.connects();
    const [adas, bens] = [await opens(set.ada, set), await opens(set.ben, set)];
    await adas.says("Hello");
    await bens.sees("Hello", "delivered");
    await bens.shows("#head", "1");
    await bens.page.click("#read");
    await bens.shows("#head", "0");
    await adas.sees("Hello", "read");

    await bens.page.locator("#text").pressSequentially("Well");
    await adas.shows("#typing", set.ben.id);
    await bens.says("Well met");
    await adas.sees("Well met", "delivered");
    await adas.shows("#typing", "");

    await adas.shows("#first .status", "online");
    await cleos.does("set_status", { status: "away" });
    await adas.shows("#first .status", "away");
    await adas.shows("#second .status", "away");
    await adas.shows("#likes", "0");
    await set.ben.likes(set.post);
    await adas.shows("#likes", "1");

    await adas.turns("bell");
    const shop = await Service.of(troupe(), "notify");
    await shop.notifies(set.ada, "Your order is on its way.");
    await adas.shows("#notices li", "Your order is on its way.");
    // StrictMode shows each part twice, and the server is asked once.
    for (const app of [adas, bens]) {
      expect(app.asked("watch_presence", set.cleo.id)).toBe(1);
      expect(app.asked("watch_posts", set.post.id)).toBe(1);
      expect(app.complaints).toEqual([]);
    }
  });

  it("[SDK42] one loses the network: what was written goes out once, all that was missed is shown", async () => {
    const set = await scene();
    const cleos = await set.cleo.connects();
    const [adas, bens] = [await opens(set.ada, set), await opens(set.ben, set)];
    await adas.shows("#first .status", "online");
    await adas.shows("#likes", "0");
    await adas.says("before");
    await bens.sees("before", "delivered");

    await adas.screen.context.setOffline(true);
    await adas.is("waiting");
    await adas.says("written without a network");
    await adas.sees("written without a network", "sending");
    for (const text of ["one", "two"]) await bens.says(text);
    await bens.sees("two", "sent");
    await cleos.does("set_status", { status: "away" });
    await set.ben.likes(set.post);
    const shop = await Service.of(troupe(), "notify");
    await shop.notifies(set.ada, "You were away.");
    // Shown for the first time while nothing can be loaded.
    await adas.turns("bell");
    await adas.page.waitForSelector("#notices", { state: "attached" });

    await adas.screen.context.setOffline(false);
    await adas.sees("written without a network", "delivered");
    await bens.sees("written without a network", "delivered");
    await adas.shows("#first .status", "away");
    await adas.shows("#likes", "1");
    await adas.shows("#notices li", "You were away.");
    const told = ["before", "one", "two", "written without a network"];
    expect(await adas.bodies()).toEqual(told);
    expect(await bens.bodies()).toEqual(told);
    expect(adas.complaints).toEqual([]);
  });

  it("[SDK42] what is not shown any more is not watched any more", async () => {
    const set = await scene();
    const cleos = await set.cleo.connects();
    const [adas, bens] = [await opens(set.ada, set), await opens(set.ben, set)];
    for (const app of [adas, bens]) {
      await app.shows("#first .status", "online");
      await app.shows("#likes", "0");
    }
    // One of two that show the same: the other goes on.
    await adas.turns("first");
    await cleos.does("set_status", { status: "away" });
    await adas.shows("#second .status", "away");
    expect(adas.asked("unwatch_presence", set.cleo.id)).toBe(0);

    await adas.page.click("#unmount");
    await adas.page.waitForSelector("#head", { state: "detached" });
    await eventually("the server is told that nobody looks", () => {
      const given = ["unwatch_presence", "unwatch_posts"] as const;
      const ids = [set.cleo.id, set.post.id];
      return given.every((event, n) => adas.asked(event, ids[n]!) === 1);
    });
    const heard = () => [adas.heard("user_status"), adas.heard("like_update")];
    // Ben writes after both of his events came, so Ada's events came before his message.
    const passes = async (status: "online" | "away", likes: number, word: string) => {
      await cleos.does("set_status", { status });
      await (likes === 1 ? set.ben : set.ada).likes(set.post);
      await bens.shows("#first .status", status);
      await bens.shows("#likes", String(likes));
      await bens.says(word);
      await eventually("Ada's client has the message", () =>
        adas.received.some((packet) => packet.includes(word)),
      );
    };
    await passes("online", 1, "a word of the first");
    const before = heard();
    await passes("away", 2, "a word of the second");
    expect(heard()).toEqual(before);
    expect(adas.complaints).toEqual([]);

    // Back after a lost connection, the client watches nothing of it either. That it is back, and
    // beyond its catching up, the ticks of what Ben writes say.
    await adas.screen.context.setOffline(true);
    await bens.says("while away");
    await bens.sees("while away", "sent");
    await adas.screen.context.setOffline(false);
    await bens.sees("while away", "delivered");
    await bens.says("a last word");
    await bens.sees("a last word", "delivered");
    expect(adas.asked("watch_presence", set.cleo.id)).toBe(1);
    expect(adas.asked("watch_posts", set.post.id)).toBe(1);
    expect(adas.asked("join_conversation", set.talk.id)).toBe(1);
  });
});
