/**
 * Whom TRUST_PROXY believes, and what follows: the client's address is the right-most of
 * X-Forwarded-For that no trusted proxy has, for everything left of it is the client's own
 * word. Pure. Asked by the front door (is this peer a proxy?) and by edges (whose is this
 * request?).
 */
import { BlockList, isIP, isIPv6 } from "node:net";
import { plainAddress } from "../base/address.ts";

/**
 * false: nobody. A number: that many proxies stand in front of everybody, each adding the
 * address it saw. A list: the proxies' addresses and networks; other peers are not believed.
 */
export type ProxyTrust = false | number | readonly string[];

export interface ProxyReader {
  /** Whether a peer counts as a proxy, so that limits must look behind it. */
  isProxy(peer: string): boolean;
  /** The client's address; the peer's where nothing better can be believed. */
  clientOf(peer: string, forwardedFor: string | readonly string[] | undefined): string;
}

/** More proxies in a row than anybody has. */
const HOPS_MAX = 8;

/** Null where `text` makes no sense. */
export function parseProxyTrust(text: string): ProxyTrust | null {
  const word = text.toLowerCase();
  if (["off", "false", "0", "no"].includes(word)) return false;
  if (["on", "true", "yes"].includes(word)) return 1;
  if (/^\d{1,2}$/.test(word)) return Number(word) <= HOPS_MAX ? Number(word) : null;
  const networks = word.split(",").map((one) => one.trim());
  return networks.every((network) => parseNetwork(network) !== null) ? networks : null;
}

interface Network {
  address: string;
  bits: number;
  family: "ipv4" | "ipv6";
}

function parseNetwork(text: string): Network | null {
  const [address = "", bitsText, ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0) return null;
  const bitsMax = version === 4 ? 32 : 128;
  if (bitsText !== undefined && !/^\d{1,3}$/.test(bitsText)) return null;
  const bits = bitsText === undefined ? bitsMax : Number(bitsText);
  return bits <= bitsMax ? { address, bits, family: version === 4 ? "ipv4" : "ipv6" } : null;
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
  const proxies = new BlockList();
  for (const network of trust) {
    const parsed = parseNetwork(network);
    if (parsed !== null) proxies.addSubnet(parsed.address, parsed.bits, parsed.family);
  }
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

/** From the right, past what `isPassed`, to the first that is not, or the last that can be read. */
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
