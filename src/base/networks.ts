/**
 * Which network addresses are public, and lists of hosts and networks that are named in the
 * configuration. Pure. The one use of it that connects anywhere is src/outbound.
 */
import { BlockList, isIP, isIPv6 } from "node:net";
import { plainAddress } from "./address.ts";

/** A host name, an address, or a network such as `10.0.0.0/8`; in lower case. */
export type AddressRule = string;

// The registries of special-purpose addresses (RFC 6890 and its updates). 168.63.129.16 answers as
// the metadata service of one large provider, from a public range.
const NOT_PUBLIC_V4 = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"],
  ...["172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"],
  ...["198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"],
  "168.63.129.16/32",
];
/** Of IPv6, 2000::/3 is public but for these, of which some stand for addresses of IPv4. */
const PUBLIC_V6 = "2000::/3";
const NOT_PUBLIC_V6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

interface Network {
  address: string;
  bits: number;
  family: "ipv4" | "ipv6";
}

/** Null where the text is neither an address nor a network. */
export function networkOf(text: string): Network | null {
  const [address = "", bitsText, ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0) return null;
  const bitsMax = version === 4 ? 32 : 128;
  if (bitsText !== undefined && !/^\d{1,3}$/.test(bitsText)) return null;
  const bits = bitsText === undefined ? bitsMax : Number(bitsText);
  return bits <= bitsMax ? { address, bits, family: version === 4 ? "ipv4" : "ipv6" } : null;
}

/** Texts that are no networks are left out. */
export function blockListOf(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const network = networkOf(text);
    if (network !== null) list.addSubnet(network.address, network.bits, network.family);
  }
  return list;
}

const notPublic = blockListOf([...NOT_PUBLIC_V4, ...NOT_PUBLIC_V6]);
const publicV6 = blockListOf([PUBLIC_V6]);

/** Whether anybody on the internet can be meant by this address. */
export function isPublicAddress(address: string): boolean {
  const plain = plainAddress(address);
  if (plain === null) return false;
  if (isIPv6(plain)) return publicV6.check(plain, "ipv6") && !notPublic.check(plain, "ipv6");
  return !notPublic.check(plain, "ipv4");
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62}\.?)*$/;

export function parseAddressRules(text: string): { rules: AddressRule[] } | { wrong: string } {
  const rules = text.split(",").map((one) => one.trim().toLowerCase());
  const wrong = rules.find((rule) => networkOf(rule) === null && !isHostName(rule));
  return wrong === undefined ? { rules } : { wrong };
}

/** A malformed address or network (`10.0.0.0/99`, `1.2.3`) is no name either. */
function isHostName(text: string): boolean {
  return HOST_NAME.test(text) && !/^[\d.]+$/.test(text);
}

export interface AddressRules {
  /** The host is named itself, whatever it resolves to. */
  hasHost(name: string): boolean;
  hasAddress(address: string): boolean;
}

export function addressRules(rules: readonly AddressRule[]): AddressRules {
  const names = new Set(rules.filter((rule) => networkOf(rule) === null));
  const networks = blockListOf(rules);
  return {
    hasHost: (name) => names.has(name.toLowerCase()),
    hasAddress(address) {
      const plain = plainAddress(address);
      return plain !== null && networks.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
    },
  };
}
