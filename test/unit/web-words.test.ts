/** The page's addresses and words. */
import { describe, expect, it } from "vitest";
import { routeOf } from "../../src/web/app/route.ts";
import { countedName, shortCount, splitText } from "../../src/web/app/wording.ts";

describe("addresses and words", () => {
  it("[WNO8] addresses name what is open, and nonsense is the list", () => {
    expect(routeOf("#/c/12")).toEqual({ view: "talks", talkId: "12" });
    expect(routeOf("#/p/7")).toEqual({ view: "post", postId: "7" });
    expect(routeOf("#/feed")).toEqual({ view: "feed" });
    for (const hash of ["", "#/", "#/p/0", "#/c/x", "#/p/1/2"]) {
      expect(routeOf(hash)).toEqual({ view: "talks", talkId: null });
    }
  });

  it("[WNO11] accessible names are read as a sentence is", () => {
    expect(countedName("Talks", 1, "unread message")).toBe("Talks, 1 unread message");
    expect(countedName("Talks", 12, "unread message")).toBe("Talks, 12 unread messages");
    expect(countedName("Talks", 0, "unread message")).toBe("Talks");
  });

  it("[WNO9] mentions are told from addresses and the dot behind them", () => {
    const mentions = (text: string) =>
      splitText(text).flatMap((part) => (part.isMention ? part.text : []));
    expect(mentions("@ada, and @linus.t.")).toEqual(["@ada", "@linus.t"]);
    expect(mentions("mail ada@example.org or https://x.example/@ada")).toEqual([]);
    expect(mentions("@ab is too short, (@grace) is not")).toEqual(["@grace"]);
    const text = "hi @ada\nsee https://a.example/ @grace";
    expect(
      splitText(text)
        .map((part) => part.text)
        .join(""),
    ).toBe(text);
  });

  it("[WNO11] large counts stay short", () => {
    expect([0, 999].map(shortCount)).toEqual(["0", "999"]);
    expect(shortCount(12_345).length).toBeLessThan(6);
  });
});
