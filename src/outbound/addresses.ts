/**
 * Where this server may connect to: the one module for every address that it did not choose itself.
 * A name is resolved, and what it resolves to is checked, at every connection, and the connection
 * goes to an address that was checked: a name that resolves to another address a moment later gets
 * nobody anywhere.
 *
 * [OUT1] What users name is https and public: never private, link-local, loopback or metadata.
 * [OUT2] What services name likewise, but for the hosts and networks of WEBHOOK_ALLOW_PRIVATE,
 *        where http is allowed, too; and the endpoints of devices but for those of
 *        PUSH_ALLOW_PRIVATE.
 * [OUT3] What the operator names is trusted.
 */
import { type LookupAddress, lookup as resolve } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { type AddressRule, addressRules, isPublicAddress } from "../base/networks.ts";

/** The party that has named the address. */
export type Namer = "user" | "device" | "service" | "operator";

export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
}

/** The host of a URL, "[::1]" as "::1". */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}

export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

const systemResolve: Resolve = (host) =>
  new Promise((done, failed) => {
    resolve(host, { all: true, verbatim: true }, (fault, addresses) => {
      if (fault) failed(fault);
      else done(addresses);
    });
  });

export class Addresses {
  readonly #services: ReturnType<typeof addressRules>;
  readonly #devices: ReturnType<typeof addressRules>;
  readonly #resolve: Resolve;

  /** The private addresses that services may name, and those that devices may. */
  constructor(
    services: readonly AddressRule[],
    resolveBy: Resolve = systemResolve,
    devices: readonly AddressRule[] = [],
  ) {
    this.#services = addressRules(services);
    this.#devices = addressRules(devices);
    this.#resolve = resolveBy;
  }

  /** Why such an address is not taken, as the end of a sentence; null: nothing speaks against it. */
  async problemOf(text: string, namer: Namer): Promise<string | null> {
    if (!URL.canParse(text)) return "is not a URL";
    const url = new URL(text);
    if (url.username !== "" || url.password !== "") return "holds a user name or a password";
    try {
      await this.check(url, namer);
      return null;
    } catch (error) {
      if (error instanceof AddressRefused) return error.message;
      // The name does not resolve at this moment: each connection will look again.
      return url.protocol === "https:" ? null : "has a host that cannot be resolved";
    }
  }

  /**
   * The addresses to connect to. Throws AddressRefused, whose message is the end of a sentence, or
   * the resolver's error.
   */
  async check(url: URL, namer: Namer): Promise<readonly LookupAddress[]> {
    const { protocol } = url;
    if (protocol !== "https:" && protocol !== "http:") throw new AddressRefused("is not https");
    const isHttp = protocol === "http:";
    if (isHttp && namer === "user") throw new AddressRefused("is not https");
    const host = hostOf(url);
    const allowed = this.#allowedFor(namer);
    const isNamed = allowed?.hasHost(host) === true;
    const family = isIP(host);
    const found = family !== 0 ? [{ address: host, family }] : await this.#resolve(host);
    if (namer === "operator" || isNamed) return found;
    const good = found.filter(({ address }) => {
      if (allowed?.hasAddress(address) === true) return true;
      return !isHttp && isPublicAddress(address);
    });
    if (good.length > 0) return good;
    if (isHttp && found.some(({ address }) => isPublicAddress(address))) {
      throw new AddressRefused("is not https");
    }
    throw new AddressRefused("leads to an address that is not public");
  }

  #allowedFor(namer: Namer): ReturnType<typeof addressRules> | null {
    if (namer === "service") return this.#services;
    return namer === "device" ? this.#devices : null;
  }
}

/** Gives a connection the addresses that were checked, and asks nobody again. */
export function lookupOf(addresses: readonly LookupAddress[]): LookupFunction {
  return (_host, options, done) => {
    if (options.all === true) done(null, [...addresses]);
    else done(null, addresses[0]!.address, addresses[0]!.family);
  };
}
