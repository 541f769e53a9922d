/**
 * Loaded with `--import` into the servers that tests start: password hashes cost 1/80 of what they
 * cost otherwise, since most tests register users only to have them. Hashing and verifying change
 * alike, so every hash is valid in its server. Tests of the cost itself start a server with
 * `realPasswords: true`, or call the module directly.
 */
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";

const realScrypt = crypto.scrypt;

crypto.scrypt = (password, salt, keyBytes, options, callback) =>
  realScrypt(password, salt, keyBytes, { ...options, N: 1024, p: 1 }, callback);

syncBuiltinESMExports();
