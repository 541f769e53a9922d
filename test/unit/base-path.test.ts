import { expect, test } from "vitest";
import { withoutBasePath } from "../../src/base/base-path.ts";
import { loadConfig } from "../../src/config/config.ts";

test.each([
  ["/chat", "/"],
  ["/chat/", "/"],
  ["/chat/api/me?x=/chat/", "/api/me?x=/chat/"],
  ["/chat?x", "/?x"],
  ["/chats/api/me", "/chats/api/me"],
  ["/api/me", "/api/me"],
  ["*", "*"],
])("[SRV3] below the prefix /chat, %s is %s", (target, path) => {
  expect(withoutBasePath(target, "/chat")).toBe(path);
});

test.each(["chat", "/", "/chat/", "//chat", "/a b", '/"><script>'])(
  "[SRV3] %s is no prefix",
  (text) => {
    const read = loadConfig({ BASE_PATH: text });
    expect(read.ok ? "" : read.problems[0]!.name).toBe("BASE_PATH");
  },
);

test("[MET11] METRICS_PORT is not PORT, and METRICS_TOKEN cannot be guessed", () => {
  const read = loadConfig({ PORT: "3100", METRICS_PORT: "3100", METRICS_TOKEN: "short" });
  const wrong = read.ok ? [] : read.problems.map(({ name }) => name);
  expect(wrong.sort()).toEqual(["METRICS_PORT", "METRICS_TOKEN"]);
});
