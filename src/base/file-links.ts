/**
 * The addresses of files. A stored message does not hold the address of its files, which expires,
 * but a mark: `~file:42:` and a code. The edge writes addresses in the place of marks into each text
 * as it leaves, once for all who receive it.
 *
 * [FLK1] An address is computed from the file's id and the number of the period, so that all receive
 *        the same one. It is good in its period and the next: for between one and two times the TTL.
 * [FLK2] The code of a mark is a secret of the server. Text of a user that looks like a mark stays as
 *        it is.
 * [FLK3] A picture of a user or conversation has one address, which lasts as long as it is one.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { epochMsOf } from "../protocol/time.ts";
import type { Clock } from "./clock.ts";

const CODE_CHARS = 22;
/** A file's id, or that and a letter for its thumbnail or for what a scanner reads. */
const MARKS = /~file:(\d{1,19}[st]?):[\w-]{22}/g;
/** Text may hold thousands of marks that are none. Each costs a hash only once. */
const KEPT_MAX = 20_000;
const PICTURE = "p.";
/** For how long a picture may be kept by those who have read it. */
const PICTURE_KEPT_S = 86_400;
const TOKEN = /^([0-9a-z]{1,12})\.([\w-]{22})$/;

export interface FileLinksOptions {
  key: Buffer;
  ttlS: number;
  basePath: string;
  clock: Clock;
}

export class FileLinks {
  readonly #options: FileLinksOptions;
  /** Addresses of this period by mark; null for what is no mark. */
  readonly #addresses = new Map<string, string | null>();
  #addressesOf = 0;

  constructor(options: FileLinksOptions) {
    this.#options = options;
  }

  /** Stands in stored messages for the address of the file. */
  mark(id: string): string {
    return `~file:${id}:${this.#code(`mark ${id}`)}`;
  }

  /** [FLK1] */
  address(id: string): string {
    const period = this.#period().toString(36);
    const code = this.#code(`address ${id} ${period}`);
    return `${this.#options.basePath}/files/${id}/${period}.${code}`;
  }

  /** [FLK3] */
  picture(id: string): string {
    return `${this.#options.basePath}/files/${id}/${this.#pictureToken(id)}`;
  }

  /** Whether this token, which is good, is of the address of a picture. */
  isPicture(token: string): boolean {
    return token.startsWith(PICTURE);
  }

  #pictureToken(id: string): string {
    return `${PICTURE}${this.#code(`picture ${id}`)}`;
  }

  /** How long the token of an address is still good, in seconds; 0: it is not. */
  goodForS(id: string, token: string): number {
    if (this.isPicture(token)) return isSame(token, this.#pictureToken(id)) ? PICTURE_KEPT_S : 0;
    const [, period = "", code = ""] = TOKEN.exec(token) ?? [];
    if (period === "" || !isSame(code, this.#code(`address ${id} ${period}`))) return 0;
    const { ttlS, clock } = this.#options;
    const endS = (Number.parseInt(period, 36) + 2) * ttlS;
    return Math.max(0, Math.ceil(endS - epochMsOf(clock.wallMs()) / 1000));
  }

  /** The text with addresses in the place of marks. */
  in(text: string): string {
    if (!text.includes("~file:")) return text;
    return text.replace(MARKS, (mark, id: string) => this.#addressOf(mark, id) ?? mark);
  }

  /** [FLK2] */
  #addressOf(mark: string, id: string): string | null {
    const period = this.#period();
    if (period !== this.#addressesOf || this.#addresses.size >= KEPT_MAX) this.#addresses.clear();
    this.#addressesOf = period;
    let address = this.#addresses.get(mark);
    if (address === undefined) {
      address = isSame(mark, this.mark(id)) ? this.address(id) : null;
      this.#addresses.set(mark, address);
    }
    return address;
  }

  #period(): number {
    return Math.floor(epochMsOf(this.#options.clock.wallMs()) / 1000 / this.#options.ttlS);
  }

  #code(text: string): string {
    const { key } = this.#options;
    return createHmac("sha256", key).update(text).digest("base64url").slice(0, CODE_CHARS);
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
