/**
 * TRUST_PROXY: which peers count as proxies. The client's address is the right-most entry of
 * X-Forwarded-For that is not a trusted proxy, since the client may have written everything to
 * the left of it. Pure. Used by the front door (is this peer a proxy?) and by edges (whose request
 * is this?).
 */
import { isIPv6 } from "node:net";
import { plainAddress } from "../base/address.ts";
import { blockListOf, networkOf } from "../base/networks.ts";

/**
 * false: no proxy. A number: so many proxies stand in front, each adding the address it saw. A
 * list: the addresses and networks of the proxies; other peers are not trusted.
 */
export type ProxyTrust = false | number | readonly string[];

export interface ProxyReader {
  /** Whether a peer counts as a proxy, so that limits must look behind it. */
  isProxy(peer: string): boolean;
  /** The client's address; the peer's address where no other can be trusted. */
  clientOf(peer: string, forwardedFor: string | readonly string[] | undefined): string;
}

/** A chain of more proxies than any deployment has. */
const HOPS_MAX = 8;

/** Null where `text` is not valid. */
export function parseProxyTrust(text: string): ProxyTrust | null {
  const word = text.toLowerCase();
  if (["off", "false", "0", "no"].includes(word)) return false;
  if (["on", "true", "yes"].includes(word)) return 1;
  if (/^\d{1,2}$/.test(word)) return Number(word) <= HOPS_MAX ? Number(word) : null;
  const networks = word.split(",").map((one) => one.trim());
  return networks.every((network) => networkOf(network) !== null) ? networks : null;
}

export function createProxyReader(trust: ProxyTrust): ProxyReader {
  if (trust === false) return { isProxy: () => false, clientOf: (peer) => plain(peer) };
  if (typeof trust === "number") {
    return {
      isProxy: () => true,
      clientOf(peer, forwardedFor) {
        const list = listOf(forwardedFor);
        return lastGood(peer, list.slice(Math.max(0, list.length - trust)), () => true);
      },
    };
  }
  const proxies = blockListOf(trust);
  const isProxy = (peer: string) => {
    const address = plainAddress(peer);
    return address !== null && proxies.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  };
  return {
    isProxy,
    clientOf: (peer, forwardedFor) =>
      isProxy(peer) ? lastGood(peer, listOf(forwardedFor), isProxy) : plain(peer),
  };
}

/**
 * Skips entries from the right while `isPassed`; answers the first that is not, or the last that
 * can be read.
 */
function lastGood(
  peer: string,
  list: readonly string[],
  isPassed: (address: string) => boolean,
): string {
  let client = plain(peer);
  for (let i = list.length - 1; i >= 0; i--) {
    const address = plainAddress(list[i]!);
    if (address === null) return client;
    client = address;
    if (!isPassed(address)) return client;
  }
  return client;
}

function listOf(forwardedFor: string | readonly string[] | undefined): string[] {
  const text = typeof forwardedFor === "string" ? forwardedFor : (forwardedFor ?? []).join(",");
  return text === "" ? [] : text.split(",");
}

function plain(address: string): string {
  return plainAddress(address) ?? address;
}
