/** Configuration of push messages. Part of CONFIG_KEYS in keys.ts. */
import { createECDH, createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileTrouble } from "../base/errors.ts";
import type { AddressRule } from "../base/networks.ts";
import { CONTENTS, type PushContent } from "../protocol/push.ts";
import type { ConfigKey, Read } from "./key.ts";
import { addressRules, oneOf, right, url, wrong } from "./readers.ts";

/** In base64url: an uncompressed point of P-256, and its scalar. */
export interface VapidKeys {
  publicKey: string;
  privateKey: string;
}

/** The part of a service account's file with which an access token of FCM is requested. */
export interface FcmCredentials {
  projectId: string;
  clientEmail: string;
  /** PKCS 8, PEM. */
  privateKey: string;
  tokenUri: string;
}

/** What the configuration of pushes is read into. */
export interface PushConfig {
  /** Set: every push is posted there, and no provider is asked. */
  pushUrl: string | null;
  pushContent: PushContent;
  /** Private hosts and networks that the endpoints of devices may lead to. */
  pushAllowPrivate: AddressRule[];
  /** Null: the database keeps a pair that was made by the first host. */
  vapidKeys: VapidKeys | null;
  vapidSubject: string;
  /** Null: nothing is pushed by FCM. */
  fcmCredentials: FcmCredentials | null;
  fcmUrl: string;
  /** PKCS 8, PEM; null: nothing is pushed by APNs. */
  apnsKey: string | null;
  apnsKeyId: string | null;
  apnsTeamId: string | null;
  apnsTopic: string | null;
  apnsUrl: string;
}

const POINT_BYTES = 65;
const SCALAR_BYTES = 32;

function vapidKeys(text: string): Read<VapidKeys> {
  const [publicKey = "", privateKey = "", ...more] = text.split(/[\s,:]+/);
  const point = Buffer.from(publicKey, "base64url");
  const scalar = Buffer.from(privateKey, "base64url");
  if (more.length > 0 || point.length !== POINT_BYTES || scalar.length !== SCALAR_BYTES)
    return wrong;
  const curve = createECDH("prime256v1");
  try {
    curve.setPrivateKey(scalar);
  } catch {
    // It is no scalar of the curve.
    return wrong;
  }
  if (!curve.getPublicKey().equals(point))
    return { ok: false, found: "two keys that do not belong together" };
  return right({ publicKey, privateKey });
}

function subject(text: string): Read<string> {
  return /^(mailto:[^\s@]+@[^\s@]+|https:\/\/\S+)$/.test(text) ? right(text) : wrong;
}

/** The text itself, or what is in the file of that name. */
function textOrFile(text: string, beginning: string): Read<string> {
  if (text.startsWith(beginning)) return right(text);
  try {
    return right(readFileSync(text, "utf8"));
  } catch (error) {
    return { ok: false, found: `a file that cannot be read: ${fileTrouble(error)}` };
  }
}

function isPrivateKey(pem: string): boolean {
  try {
    createPrivateKey(pem);
    return true;
  } catch {
    // It is no key in PEM form.
    return false;
  }
}

function fcmCredentials(text: string): Read<FcmCredentials> {
  const file = textOrFile(text, "{");
  if (!file.ok) return file;
  let found: unknown;
  try {
    found = JSON.parse(file.value);
  } catch {
    // It is no JSON.
    return wrong;
  }
  if (typeof found !== "object" || found === null) return wrong;
  const texts = found as Record<string, unknown>;
  const { project_id, client_email, private_key, token_uri } = texts;
  if (
    typeof project_id !== "string" ||
    typeof client_email !== "string" ||
    typeof private_key !== "string" ||
    typeof token_uri !== "string" ||
    !URL.canParse(token_uri)
  ) {
    return { ok: false, found: "JSON without project_id, client_email, private_key or token_uri" };
  }
  if (!isPrivateKey(private_key)) return { ok: false, found: "a private_key that is no key" };
  return right({
    projectId: project_id,
    clientEmail: client_email,
    privateKey: private_key,
    tokenUri: token_uri,
  });
}

function apnsKey(text: string): Read<string> {
  const file = textOrFile(text, "-----BEGIN");
  if (!file.ok) return file;
  // Of several lines, an environment often has the ends written as \n.
  const pem = file.value.replaceAll("\\n", "\n");
  return isPrivateKey(pem) ? right(pem) : wrong;
}

const word =
  (pattern: RegExp) =>
  (text: string): Read<string> =>
    pattern.test(text) ? right(text) : wrong;

export const PUSH_KEYS = {
  pushUrl: {
    name: "PUSH_URL",
    meaning: "address of your own gateway, to which every push is posted instead of the providers",
    unit: "",
    default: "",
    wants: "a URL like https://push.example.com/troupe",
    read: url("https:", "http:"),
  },
  pushContent: {
    name: "PUSH_CONTENT",
    meaning:
      "what a push says to users who have not chosen: sender and text, the sender, or neither",
    unit: "",
    default: "sender",
    wants: "full, sender or none",
    read: oneOf(...CONTENTS),
  },
  pushAllowPrivate: {
    name: "PUSH_ALLOW_PRIVATE",
    meaning: "private hosts and networks of your own Web Push service, also without TLS",
    unit: "",
    default: "",
    wants: "a comma list of host names, addresses and networks such as push.internal,10.0.0.0/8",
    tooLarge: "whoever registers a device can reach services that are meant to be private",
    read: addressRules,
  },
  vapidKeys: {
    name: "VAPID_KEYS",
    meaning: "the key pair that signs Web Push",
    unit: "",
    default: "made into the database",
    wants: "the public and the private key in base64url, separated by a comma",
    secret: true,
    read: vapidKeys,
  },
  vapidSubject: {
    name: "VAPID_SUBJECT",
    meaning: "where the operators of a Web Push service reach you; Apple's refuses localhost",
    unit: "",
    default: "mailto:postmaster@localhost",
    wants: "an address like mailto:admin@example.com, or an https URL",
    read: subject,
  },
  fcmCredentials: {
    name: "FCM_CREDENTIALS",
    meaning: "service account with which pushes are sent by FCM",
    unit: "",
    default: "",
    wants: "the path of the account's JSON file, or its text",
    secret: true,
    read: fcmCredentials,
  },
  fcmUrl: {
    name: "FCM_URL",
    meaning: "address of FCM's HTTP API",
    unit: "",
    default: "https://fcm.googleapis.com",
    wants: "a URL",
    read: url("https:", "http:"),
  },
  apnsKey: {
    name: "APNS_KEY",
    meaning: "token key with which pushes are sent by APNs",
    unit: "",
    default: "",
    wants: "the path of the .p8 file, or its text",
    secret: true,
    read: apnsKey,
  },
  apnsKeyId: {
    name: "APNS_KEY_ID",
    meaning: "id of APNS_KEY",
    unit: "",
    default: "",
    wants: "10 letters and digits",
    read: word(/^[A-Z0-9]{10}$/),
  },
  apnsTeamId: {
    name: "APNS_TEAM_ID",
    meaning: "id of the team that APNS_KEY belongs to",
    unit: "",
    default: "",
    wants: "10 letters and digits",
    read: word(/^[A-Z0-9]{10}$/),
  },
  apnsTopic: {
    name: "APNS_TOPIC",
    meaning: "bundle id of the app that APNs pushes to",
    unit: "",
    default: "",
    wants: "a bundle id like com.example.chat",
    read: word(/^[A-Za-z0-9.-]{1,255}$/),
  },
  apnsUrl: {
    name: "APNS_URL",
    meaning: "address of APNs; for builds under development https://api.sandbox.push.apple.com",
    unit: "",
    default: "https://api.push.apple.com",
    wants: "a URL",
    read: url("https:", "http:"),
  },
} as const satisfies Record<string, ConfigKey<unknown>>;

export function readPush(read: <T>(key: ConfigKey<T>, unset: NoInfer<T>) => T): PushConfig {
  const optional = <T>(key: ConfigKey<T>) => read<T | null>(key, null);
  return {
    pushUrl: optional(PUSH_KEYS.pushUrl),
    pushContent: read<PushContent>(PUSH_KEYS.pushContent, "sender"),
    pushAllowPrivate: read<AddressRule[]>(PUSH_KEYS.pushAllowPrivate, []),
    vapidKeys: optional(PUSH_KEYS.vapidKeys),
    vapidSubject: read(PUSH_KEYS.vapidSubject, PUSH_KEYS.vapidSubject.default),
    fcmCredentials: optional(PUSH_KEYS.fcmCredentials),
    fcmUrl: read(PUSH_KEYS.fcmUrl, PUSH_KEYS.fcmUrl.default),
    apnsKey: optional(PUSH_KEYS.apnsKey),
    apnsKeyId: optional(PUSH_KEYS.apnsKeyId),
    apnsTeamId: optional(PUSH_KEYS.apnsTeamId),
    apnsTopic: optional(PUSH_KEYS.apnsTopic),
    apnsUrl: read(PUSH_KEYS.apnsUrl, PUSH_KEYS.apnsUrl.default),
  };
}
