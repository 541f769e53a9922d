/** The client's address and transport security of a request, behind proxies named by TRUST_PROXY. */
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { subscriberOf } from "../../base/address.ts";
import { createProxyReader, type ProxyTrust } from "../../config/proxy-trust.ts";

export interface ClientReader {
  /** The subscriber that a request is charged to: an IPv4 address, or an IPv6 /64. */
  addressOf(request: IncomingMessage): string;
  /** Whether it came over TLS, to us or to a proxy that says so. */
  isEncrypted(request: IncomingMessage): boolean;
}

export function createClientReader(trust: ProxyTrust): ClientReader {
  const proxies = createProxyReader(trust);
  return {
    addressOf(request) {
      const peer = request.socket.remoteAddress ?? "";
      return subscriberOf(proxies.clientOf(peer, request.headers["x-forwarded-for"]));
    },
    isEncrypted(request) {
      const socket = request.socket as Partial<TLSSocket>;
      if (socket.encrypted === true) return true;
      const said = request.headers["x-forwarded-proto"];
      if (said === undefined || !proxies.isProxy(socket.remoteAddress ?? "")) return false;
      const first = Array.isArray(said) ? said[0] : said.split(",")[0];
      return first?.trim().toLowerCase() === "https";
    },
  };
}
