/** Network addresses as limits and placement count them: text in, text out. Pure. */
import { isIP, isIPv4, isIPv6 } from "node:net";

/**
 * `text` as one plain address: an IPv4 address in IPv6 form as IPv4, a port (as some proxies
 * write it) cut off. Null where it is not an address.
 */
export function plainAddress(text: string): string | null {
  const trimmed = text.trim();
  const bare =
    /^\[([^\]]+)\](?::\d{1,5})?$/.exec(trimmed)?.[1] ??
    /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/.exec(trimmed)?.[1] ??
    trimmed;
  if (isIP(bare) === 0) return null;
  return /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(bare)?.[1] ?? bare;
}

/**
 * The key under which an address is limited: the address itself, or for IPv6 its /64, since one
 * subscriber has all of it. Text that is not an address is returned unchanged.
 */
export function subscriberOf(address: string): string {
  const plain = plainAddress(address) ?? address;
  if (!isIPv6(plain)) return plain;
  // The last 32 bits written as IPv4 are two groups; which ones does not matter here.
  const [head = "", tail] = plain.replace(/\d+(?:\.\d+){3}/, "0:0").split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  while (groups.length + rest.length < 8) groups.push("0");
  const net = groups.concat(rest).slice(0, 4);
  return `${net.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}

/**
 * The network that a subscriber's address is in: an IPv4 address's /24, for carriers and offices send
 * one client's requests from several addresses; an IPv6 /64 is one already.
 */
export function networkOf(subscriber: string): string {
  return isIPv4(subscriber) ? subscriber.replace(/\d+$/, "0/24") : subscriber;
}
