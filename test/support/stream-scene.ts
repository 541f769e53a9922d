/** One stream of a conversation with sessions of this edge, for tests of stream.ts. */
import { beforeEach } from "vitest";
import { ChannelStream } from "../../src/edge/live/channel-stream.ts";
import { Stream } from "../../src/edge/live/stream.ts";
import type { StreamOwner } from "../../src/edge/live/stream-owner.ts";
import type { Change, Changes } from "../../src/ports/edge.ts";
import { withTranslation } from "../../src/protocol/contract.ts";
import { asConversationId, type Message } from "../../src/protocol/schemas.ts";
import { FRAME, type Frame, frame } from "../../src/runtime/frames.ts";
import { FakeClock } from "./fake-clock.ts";
import { FarEnd } from "./far-end.ts";

export const ROOM = asConversationId("5");

export let clock: FakeClock;
export let repairs: number;
export let occupied: boolean[];
export let local: FarEnd[];
export let stream: Stream;
/** Users that the stream has shown to have left, and whose sessions may receive threads. */
export let leavers: string[];
/** Sessions that were sent to read what comes after a rev. */
export let caughtUp: [string, number][];

/** Each test of the file has a stream of its own. */
export function streamForEachTest(): void {
  beforeEach(() => {
    const owner = begin();
    stream = new Stream(ROOM, owner);
  });
}

/** How often the stream has said that its watchers changed. */
export let watched: number;

/** Each test of the file has a channel's stream, open at rev 1, to which `stream` is the same. */
export function channelForEachTest(): { readonly stream: ChannelStream } {
  let channel: ChannelStream;
  beforeEach(() => {
    const owner = begin();
    channel = new ChannelStream(ROOM, owner);
    stream = channel;
    channel.open(1, false);
  });
  return {
    get stream() {
      return channel;
    },
  };
}

/** What slow sessions did not receive, by what it was. */
export let leftOut: Record<string, number>;

function begin(): StreamOwner<Stream> {
  leftOut = {};
  watched = 0;
  clock = new FakeClock();
  repairs = 0;
  occupied = [];
  local = [];
  caughtUp = [];
  leavers = [];
  return {
    occupied: (_stream, isOccupied) => occupied.push(isOccupied),
    entered: () => undefined,
    hasRoom: () => true,
    types: () => undefined,
    left: (user) => leavers.push(user),
    catchUp: (session, _stream, rev) => caughtUp.push([session.id, rev]),
    repair: () => {
      repairs++;
    },
    sessionsOf: (user) =>
      local.filter(({ session }) => session.user === user).map((far) => far.session),
    isOutdated: () => false,
    watched: () => {
      watched++;
    },
    leftOut: (what, count) => {
      leftOut[what] = (leftOut[what] ?? 0) + count;
    },
    nowMs: () => clock.monotonicMs(),
    links: (text) => text,
    after: (delayMs, ring) => clock.after(delayMs, ring),
  };
}

/** A live session of `user` on this edge. */
export function comes(user: string, session = `s${user}`): FarEnd {
  const far = new FarEnd({ user, session }).begins();
  local.push(far);
  return far;
}

export function joins(user: string, session?: string): FarEnd {
  const far = comes(user, session);
  stream.attach(far.session);
  return far;
}

export function event(fields: Partial<Frame>): Frame {
  return frame(FRAME.event, { key: `conversations:${ROOM}`, name: "message", ...fields });
}

export const message = (rev: number, except = "") => event({ rev, except, body: `{"rev":${rev}}` });

export function members(rev: number, users: string[]): Frame {
  return event({ rev, name: "conversation_updated", body: updated(rev, users) });
}

export function updated(rev: number, users: string[]): string {
  return JSON.stringify({ id: ROOM, rev, members: users.map((user_id) => ({ user_id })) });
}

/** A deletion as it is published. */
export function deletion(rev: number): Frame {
  const body = JSON.stringify({ conversation_id: ROOM, rev });
  const former = { name: "conversation_updated" as const, body: updated(rev, []) };
  return event({ rev, name: "conversation_deleted", body: withTranslation(body, former) });
}

export const typing = (user: string, isTyping: boolean) =>
  event({
    name: "typing",
    rev: 0,
    except: user,
    body: `{"conversation_id":"5","user_id":"${user}","is_typing":${isTyping}}`,
  });

export const change = (rev: number): Change => ({ name: "message", rev, body: `{"rev":${rev}}` });
export const membersChange = (rev: number, users: string[]): Change => ({
  name: "conversation_updated",
  rev,
  body: updated(rev, users),
});
export const read = (...changes: Change[]): Changes => ({
  changes,
  hasMore: false,
  forgotten: null,
});

export function waits(
  far: FarEnd,
  what: string,
  answer: (message: string) => void,
  is: ((message: Message) => boolean) | null = null,
): void {
  far.session.waitFor(`${ROOM} ${what}`, { is, answer });
}

export const revs = (far: FarEnd) =>
  far.heard.map((one) => (JSON.parse(one.slice(one.indexOf("{"))) as { rev: number }).rev);
