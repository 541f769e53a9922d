/** The subscriber of a connection or a request: forwarded headers, and the proxies that are trusted. */

import type { IncomingMessage } from "node:http";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plainAddress, subscriberOf } from "../../src/base/address.ts";
import {
  createProxyReader,
  type ProxyTrust,
  parseProxyTrust,
} from "../../src/config/proxy-trust.ts";
import { createClientReader } from "../../src/edge/transport/client-address.ts";

const clientOf = (trust: ProxyTrust, peer: string, forwarded?: string) =>
  createProxyReader(trust).clientOf(peer, forwarded);

describe("whom an address counts for", () => {
  test("[ADR1] an IPv4 address is itself, in whatever form it comes", () => {
    for (const text of ["10.0.0.1", "::ffff:10.0.0.1", "::FFFF:10.0.0.1", "10.0.0.1:443"]) {
      expect(subscriberOf(text)).toBe("10.0.0.1");
    }
  });

  test("[ADR1] an IPv6 address is its /64, in whatever form it comes", () => {
    for (const text of [
      "2001:db8:0:7::1",
      "2001:0db8:0000:0007:aaaa:bbbb:cccc:dddd",
      "2001:DB8::7:1:2:3:4",
      "[2001:db8:0:7::1]:443",
      "2001:db8:0:7::1.2.3.4",
    ]) {
      expect(subscriberOf(text)).toBe("2001:db8:0:7::/64");
    }
    expect(subscriberOf("::1")).toBe("0:0:0:0::/64");
    expect(subscriberOf("fe80::1%eth0")).toBe("fe80:0:0:0::/64");
    expect(subscriberOf("2001:db8:0:8::1")).not.toBe(subscriberOf("2001:db8:0:7::1"));
  });

  test("[ADR1] two IPv6 addresses are one subscriber just when their first 64 bits agree", () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    const groups = fc.array(group, { minLength: 8, maxLength: 8 });
    const written = (list: number[]) => list.map((one) => one.toString(16)).join(":");
    fc.assert(
      fc.property(groups, groups, fc.boolean(), (one, other, same) => {
        const second = same ? [...one.slice(0, 4), ...other.slice(4)] : other;
        const agree = one.slice(0, 4).join() === second.slice(0, 4).join();
        // As a URL the address is in its shortest form.
        const short = new URL(`http://[${written(second)}]/`).hostname;
        expect(subscriberOf(written(one)) === subscriberOf(short)).toBe(agree);
      }),
    );
  });

  test("[ADR1] what is no address is none", () => {
    for (const text of ["", "unknown", "_hidden", "10.0.0.256", "1.2.3", "[::1", "a:b"]) {
      expect(plainAddress(text)).toBeNull();
    }
  });
});

describe("TRUST_PROXY", () => {
  test.each<[string, ProxyTrust | null]>([
    ["off", false],
    ["0", false],
    ["on", 1],
    ["1", 1],
    ["3", 3],
    ["10.1.2.3", ["10.1.2.3"]],
    ["10.0.0.0/8, FD00::/8,::1", ["10.0.0.0/8", "fd00::/8", "::1"]],
    ["9", null],
    ["10.0.0.0/", null],
    ["10.0.0.0/8/8", null],
    ["proxy.example", null],
    [",", null],
  ])("[PRX1] %j", (text, trust) => {
    expect(parseProxyTrust(text)).toEqual(trust);
  });
});

describe("the client's address", () => {
  test("[PRX2] is the peer's, whatever the header says, when nobody is trusted", () => {
    expect(clientOf(false, "10.0.0.1", "1.2.3.4")).toBe("10.0.0.1");
    expect(clientOf(false, "::ffff:10.0.0.1", "1.2.3.4")).toBe("10.0.0.1");
  });

  test("[PRX2] is as many from the right as proxies stand in front", () => {
    const forged = "6.6.6.6, 5.5.5.5, 1.2.3.4, 10.0.0.9";
    expect(clientOf(1, "10.0.0.1", forged)).toBe("10.0.0.9");
    expect(clientOf(2, "10.0.0.1", forged)).toBe("1.2.3.4");
    expect(clientOf(8, "10.0.0.1", "1.2.3.4")).toBe("1.2.3.4");
    expect(clientOf(1, "10.0.0.1")).toBe("10.0.0.1");
  });

  test("[PRX2] is the right-most that no listed proxy has", () => {
    const trust = ["10.0.0.0/8", "fd00::/8"];
    const forged = "6.6.6.6, 1.2.3.4, 10.0.0.9, fd00::5";
    expect(clientOf(trust, "10.0.0.1", forged)).toBe("1.2.3.4");
    expect(clientOf(trust, "::ffff:10.0.0.1", forged)).toBe("1.2.3.4");
    expect(clientOf(trust, "10.0.0.1", "10.0.0.7, 10.0.0.8")).toBe("10.0.0.7");
  });

  test("[PRX3] a peer that is no listed proxy cannot forge it", () => {
    expect(clientOf(["10.0.0.0/8"], "11.0.0.1", "1.2.3.4")).toBe("11.0.0.1");
  });

  test("[PRX3] what cannot be read ends the search at the last that could", () => {
    const trust = ["10.0.0.0/8"];
    expect(clientOf(trust, "10.0.0.1", "1.2.3.4, unknown, 10.0.0.9")).toBe("10.0.0.9");
    expect(clientOf(trust, "10.0.0.1", "unknown")).toBe("10.0.0.1");
    expect(clientOf(1, "10.0.0.1", "")).toBe("10.0.0.1");
  });

  test("[PRX3] whatever a client writes ahead of the proxy's word changes nothing", () => {
    fc.assert(
      fc.property(fc.string(), (forged) => {
        expect(clientOf(1, "10.0.0.1", `${forged}, 1.2.3.4`)).toBe("1.2.3.4");
        expect(clientOf(["10.0.0.1"], "10.0.0.1", `${forged}, 1.2.3.4`)).toBe("1.2.3.4");
      }),
    );
  });
});

describe("whether a request came over TLS", () => {
  const request = (peer: string, proto?: string, encrypted = false) =>
    ({
      socket: { remoteAddress: peer, encrypted },
      headers: proto === undefined ? {} : { "x-forwarded-proto": proto },
    }) as unknown as IncomingMessage;

  test("[PRX4] our own TLS counts, a proxy's word too, a stranger's not", () => {
    const none = createClientReader(false);
    const listed = createClientReader(["10.0.0.1"]);
    expect(none.isEncrypted(request("1.2.3.4", undefined, true))).toBe(true);
    expect(none.isEncrypted(request("1.2.3.4", "https"))).toBe(false);
    expect(listed.isEncrypted(request("10.0.0.1", "HTTPS, http"))).toBe(true);
    expect(listed.isEncrypted(request("10.0.0.1", "http"))).toBe(false);
    expect(listed.isEncrypted(request("10.0.0.2", "https"))).toBe(false);
  });
});
