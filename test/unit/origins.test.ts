import { describe, expect, test } from "vitest";
import { originMatcher, parseOrigin } from "../../src/config/origins.ts";

describe("CORS_ORIGIN", () => {
  test("[ORG1] a wildcard stands for one label or several, of the same scheme and port", () => {
    const isAllowed = originMatcher(["https://*.example.com", "http://app.test:8080"]);
    for (const origin of [
      "https://a.example.com",
      "https://A.Example.com",
      "https://a.b.example.com",
      "http://app.test:8080",
    ]) {
      expect([origin, isAllowed(origin)]).toEqual([origin, true]);
    }
    for (const origin of [
      "https://example.com",
      "https://.example.com",
      "http://a.example.com",
      "https://a.example.com:8443",
      "https://evilexample.com",
      "https://evil.com/.example.com",
      "https://evil.com#.example.com",
      "https://u@x.example.com",
      "https://a..example.com",
      "https://a.example.com.evil.com",
      "null",
      "http://app.test",
    ]) {
      expect([origin, isAllowed(origin)]).toEqual([origin, false]);
    }
  });

  test("[ORG1] a wildcard anywhere else is refused at start", () => {
    expect(parseOrigin("https://*.Example.com")).toBe("https://*.example.com");
    expect(parseOrigin("https://*.example.com:8443")).toBe("https://*.example.com:8443");
    for (const text of [
      "*.example.com",
      "https://*",
      "https://*.com",
      "https://a.*.example.com",
      "https://a*.example.com",
      "https://*.*.example.com",
      "https://*.example.com/",
      "https://*.example.com/path",
      "ftp://*.example.com",
    ]) {
      expect([text, parseOrigin(text)]).toEqual([text, null]);
    }
  });
});
