/**
 * Refresh tokens. A token is 48 bytes in base64url: 16 that all tokens of one login have in common
 * (the root), and 32 that are its own. Storage has SHA-256 of tokens and roots only.
 *
 * [RFT1] The first token of a login is random. Each next one is HMAC-SHA256 of the token before
 *        it, under a key that is derived from JWT_SECRET. So a client that shows the newest spent
 *        token again, because the answer was lost or because two tabs asked at once, gets the same
 *        next token, on every host, and no readable token is stored anywhere. A spent token
 *        without the secret says nothing about the next one.
 * [RFT2] Spent tokens are pruned after an hour. One that is shown later is still known by its
 *        root, and ends its login.
 */
import { createHash, createHmac, hkdfSync, randomBytes } from "node:crypto";

const ROOT_BYTES = 16;
const OWN_BYTES = 32;
const KEY_BYTES = 32;
const PURPOSE = "troupe refresh tokens, version 1";

export interface RefreshToken {
  text: string;
  /** SHA-256, hex. */
  hash: string;
  /** Likewise; null: the token is of a version without roots, or of nobody. */
  rootHash: string | null;
}

export interface RefreshTokens {
  /** The first token of a new login. */
  first(): RefreshToken & { rootHash: string };
  read(text: string): RefreshToken;
  /** The token that is given for `spent`, always the same. */
  after(spent: RefreshToken): RefreshToken;
}

export function createRefreshTokens(secret: string): RefreshTokens {
  const key = Buffer.from(hkdfSync("sha256", secret, "", PURPOSE, KEY_BYTES));

  function read(text: string): RefreshToken {
    return { text, hash: sha256(text), rootHash: rootHashOf(text) };
  }

  return {
    read,

    first() {
      const bytes = randomBytes(ROOT_BYTES + OWN_BYTES);
      const text = bytes.toString("base64url");
      return { text, hash: sha256(text), rootHash: sha256(bytes.subarray(0, ROOT_BYTES)) };
    },

    after({ text, rootHash }) {
      const own = createHmac("sha256", key).update(text).digest();
      const root = rootHash === null ? Buffer.alloc(0) : rootOf(text);
      return read(Buffer.concat([root, own]).toString("base64url"));
    },
  };
}

function rootHashOf(text: string): string | null {
  const bytes = Buffer.from(text, "base64url");
  const isOurs = bytes.length === ROOT_BYTES + OWN_BYTES && bytes.toString("base64url") === text;
  return isOurs ? sha256(bytes.subarray(0, ROOT_BYTES)) : null;
}

function rootOf(text: string): Buffer {
  return Buffer.from(text, "base64url").subarray(0, ROOT_BYTES);
}

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}
