/**
 * `troupe demo`: fills a running Troupe with a made-up world through its public API, and keeps
 * it busy until it is stopped. It refuses a server on another machine unless `--yes` is given.
 */
import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import { StartRefusal } from "../../base/errors.ts";
import type { ErrorObject } from "../../protocol/errors.ts";
import type { Message } from "../../protocol/schemas.ts";
import { Activity } from "./activity.ts";
import { createCall, DemoFault } from "./api.ts";
import { WORDS } from "./lines.ts";
import { Person } from "./person.ts";
import { makeWorld } from "./world.ts";

export interface DemoOptions {
  /** The server's URL, without a path. */
  url: string;
  people: number;
  /** How long to run; null until it is stopped. */
  forMs: number | null;
  perMinute: number;
  /** The people's password; null for the well-known one on this machine, else a random one. */
  password: string | null;
  /** Whether a server on another machine is allowed. */
  yes: boolean;
}

/** A known password suffices for a made-up world on one's own machine. */
export const DEMO_PASSWORD = "troupe-demo";
const TROUBLES_SHOWN = 3;

/** Runs until `over` aborts. Throws StartRefusal where it cannot begin. */
export async function runDemo(
  options: DemoOptions,
  over: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  const isOwn = isLoopback(new URL(options.url).hostname);
  if (!isOwn && !options.yes) {
    throw new StartRefusal(
      `${options.url} is not this machine. The demo makes ${options.people} accounts there and talks: add --yes if that is meant.`,
    );
  }
  const password =
    options.password ?? (isOwn ? DEMO_PASSWORD : randomBytes(9).toString("base64url"));
  const ending = new AbortController();
  const ends = AbortSignal.any([over, ending.signal]);
  // Every pause and call of every person adds a listener; many listeners are not a leak here.
  setMaxListeners(0, ends);
  const people: Person[] = [];
  let life: Activity | null = null;
  let troubles = 0;
  const trouble = (what: string, why: unknown): void => {
    troubles++;
    if (troubles <= TROUBLES_SHOWN) say(`  ${what}: ${wordsOf(why)}`);
    if (troubles === TROUBLES_SHOWN) say("  (more of that is not shown)");
  };
  let timer: NodeJS.Timeout | undefined;
  try {
    say(`Making a demo world at ${options.url} …`);
    const call = createCall(options.url, ends);
    for (const word of WORDS.slice(0, options.people)) {
      const person = await Person.enter({
        url: options.url,
        call,
        username: `demo_${word}`,
        displayName: `${word.charAt(0).toUpperCase()}${word.slice(1)}`,
        password,
        heard(who, event, payload) {
          if (event === "message") life?.heard(who, payload as Message);
        },
        refused: (who, why) => trouble(`${who.username} was refused`, why),
      });
      people.push(person);
    }
    const world = await makeWorld(people);
    const run = randomBytes(4).toString("hex");
    life = new Activity(world, ends, run, (why) => trouble("Something did not work", why));
    for (const person of people) person.connects();
    say(welcome(options, password));
    if (options.forMs !== null) timer = setTimeout(() => ending.abort(), options.forMs);
    await life.goesOn(options.perMinute);
  } catch (error) {
    if (!ends.aborted) {
      if (error instanceof DemoFault) throw new StartRefusal(error.message, { cause: error });
      throw error;
    }
  } finally {
    clearTimeout(timer);
    for (const person of people) person.leaves();
  }
  const said = Object.entries(life?.counts ?? {}).map(([what, count]) => `${count} ${what}`);
  say(`Over. Said: ${said.join(", ") || "nothing"}.`);
}

function welcome({ url, people, forMs }: DemoOptions, password: string): string {
  const names = WORDS.slice(0, people).map((word) => `demo_${word}`);
  const until = forMs === null ? "Ctrl-C ends it; what was said stays." : `For ${forMs / 1000} s.`;
  return `
${people} people talk now. Sign in as one of them and answer:

  address   ${url}
  username  ${names[0]}   (or ${names.slice(1, 4).join(", ")} …)
  password  ${password}

${until}`;
}

/** "localhost", 127.x.y.z and ::1. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function wordsOf(why: unknown): string {
  if (why instanceof Error) return why.message;
  // The error of a refused handshake.
  const { message } = why as Partial<ErrorObject>;
  return message ?? JSON.stringify(why);
}
