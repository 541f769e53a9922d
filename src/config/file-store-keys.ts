/** Where files of several hosts are: an S3-compatible store. Part of CONFIG_KEYS in keys.ts. */
import type { ConfigKey, Read } from "./key.ts";
import { right, shownUrl, wrong } from "./readers.ts";

/** A bucket of an S3-compatible store, with the credentials for it. */
export interface S3Store {
  /** Protocol, host and path of the store, without "/" at the end. */
  endpoint: string;
  region: string;
  bucket: string;
  /** Begins every key: empty, or it ends with "/". */
  prefix: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | null;
}

/** What FILES_URL says; null: the query does not say it. */
export interface S3Address {
  bucket: string;
  prefix: string;
  endpoint: string | null;
  region: string | null;
}

const REGION_DEFAULT = "us-east-1";
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/;
const REGION = /^[\w-]{1,64}$/;

function s3Address(text: string): Read<S3Address> {
  if (!URL.canParse(text)) return { ok: false, found: shownUrl(text) };
  const { protocol, hostname, pathname, searchParams, username, password } = new URL(text);
  const found = shownUrl(text);
  const path = pathname.replace(/^\/|\/$/g, "");
  const endpoint = searchParams.get("endpoint");
  const region = searchParams.get("region");
  const unknown = [...searchParams.keys()].find((name) => !["endpoint", "region"].includes(name));
  if (unknown !== undefined) return { ok: false, found: `${found} with "${unknown}" in its query` };
  if (username !== "" || password !== "") {
    return { ok: false, found: "credentials in it, which belong into AWS_ACCESS_KEY_ID" };
  }
  if (protocol !== "s3:" || !BUCKET.test(hostname)) return { ok: false, found };
  if (path !== "" && !PREFIX.test(path)) return { ok: false, found };
  if (region !== null && !REGION.test(region))
    return { ok: false, found: `the region "${region}"` };
  if (endpoint !== null && !/^https?:\/\/[^?#@]+$/.test(endpoint)) {
    return { ok: false, found: `the endpoint ${shownUrl(endpoint)}` };
  }
  return right({
    bucket: hostname,
    prefix: path === "" ? "" : `${path}/`,
    endpoint: endpoint?.replace(/\/+$/, "") ?? null,
    region,
  });
}

const word = (text: string): Read<string> => (/^[\x21-\x7e]+$/.test(text) ? right(text) : wrong);

/** Null where FILES_URL is not set, or the credentials are missing, which is a problem of its own. */
export function s3Store(
  address: S3Address | null,
  credentials: {
    accessKeyId: string | null;
    secretAccessKey: string | null;
    sessionToken: string | null;
  },
  regionOfEnvironment: string | null,
): S3Store | null {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  if (address === null || accessKeyId === null || secretAccessKey === null) return null;
  const region = address.region ?? regionOfEnvironment ?? REGION_DEFAULT;
  const endpoint = address.endpoint ?? `https://s3.${region}.amazonaws.com`;
  return { ...address, region, endpoint, accessKeyId, secretAccessKey, sessionToken };
}

export const FILE_STORE_KEYS = {
  filesUrl: {
    name: "FILES_URL",
    meaning: "S3-compatible store that holds the files of users instead of DATA_DIR",
    unit: "",
    default: "",
    wants: "a URL like s3://bucket/prefix?endpoint=https://s3.example.com&region=eu-central-1",
    read: s3Address,
  },
  awsAccessKeyId: {
    name: "AWS_ACCESS_KEY_ID",
    meaning: "key id for the store in FILES_URL",
    unit: "",
    default: "",
    wants: "the id of an access key, without spaces",
    read: word,
  },
  awsSecretAccessKey: {
    name: "AWS_SECRET_ACCESS_KEY",
    meaning: "secret of that key",
    unit: "",
    default: "",
    wants: "the secret of an access key, without spaces",
    secret: true,
    read: word,
  },
  awsSessionToken: {
    name: "AWS_SESSION_TOKEN",
    meaning: "session token of a temporary key",
    unit: "",
    default: "",
    wants: "a session token, without spaces",
    secret: true,
    read: word,
  },
  awsRegion: {
    name: "AWS_REGION",
    meaning: "region of the store where FILES_URL names none",
    unit: "",
    default: REGION_DEFAULT,
    wants: "a region such as eu-central-1",
    read: (text: string) => (REGION.test(text) ? right(text) : wrong),
  },
} as const satisfies Record<string, ConfigKey<unknown>>;
