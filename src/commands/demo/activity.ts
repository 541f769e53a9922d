/**
 * The activity in the demo world: somebody types and sends the next line, the others receive and
 * read it; now and then there is a reaction, a reply in a thread, a like, a comment, or somebody is
 * away for a moment. One activity
 * begins at a time, at an even pace, and all end with `over`.
 */
import { setTimeout as wait } from "node:timers/promises";
import type { Message } from "../../protocol/schemas.ts";
import { COMMENTS, pick, REACTIONS, REPLIES } from "./lines.ts";
import type { Person } from "./person.ts";
import { react, type Talk, type World } from "./world.ts";

const TYPING_MIN_MS = 400;
const TYPING_MORE_MS = 1_400;
const READING_MORE_MS = 2_500;
/** How many of the newest messages are reacted to. */
const RECENT = 5;
const AWAY_MS = 8_000;
const GONE_MS = 5_000;
/** Shares of the activities; the rest are messages. */
const REACTION_SHARE = 0.12;
const REPLY_SHARE = 0.05;
const LIKE_SHARE = 0.12;
const COMMENT_SHARE = 0.04;
const AWAY_SHARE = 0.03;
const GONE_SHARE = 0.02;
/** The share of delivered messages that are read soon. */
const READ_SHARE = 0.8;

export interface ActivityCounts {
  messages: number;
  likes: number;
  comments: number;
  reactions: number;
  replies: number;
}

export class Activity {
  readonly counts: ActivityCounts = {
    messages: 0,
    likes: 0,
    comments: 0,
    reactions: 0,
    replies: 0,
  };
  readonly #world: World;
  readonly #over: AbortSignal;
  readonly #run: string;
  readonly #onTrouble: (error: unknown) => void;
  readonly #busy = new Set<Talk | Person>();
  readonly #under = new Set<Promise<void>>();

  /** `run` makes the client ids of this run's messages unique. */
  constructor(world: World, over: AbortSignal, run: string, onTrouble: (error: unknown) => void) {
    this.#world = world;
    this.#over = over;
    this.#run = run;
    this.#onTrouble = onTrouble;
  }

  /** Runs until `over`, and then until the activities under way have ended. */
  async goesOn(perMinute: number): Promise<void> {
    const everyMs = 60_000 / perMinute;
    while (!this.#over.aborted) {
      this.#begin(this.#somethingHappens());
      // Pauses vary between half and one and a half of the pace.
      await this.#pause(everyMs * (0.5 + Math.random()));
    }
    await Promise.all(this.#under);
  }

  /** A message has reached `person`. */
  heard(person: Person, { conversation_id, seq, sender_id }: Message): void {
    if (sender_id === person.user.id) return;
    this.#begin(this.#reads(person, conversation_id, seq));
  }

  #begin(deed: Promise<void>): void {
    const done = deed
      .catch((error: unknown) => {
        if (!this.#over.aborted) this.#onTrouble(error);
      })
      .finally(() => this.#under.delete(done));
    this.#under.add(done);
  }

  async #somethingHappens(): Promise<void> {
    let chance = Math.random();
    for (const [share, deed] of [
      [REACTION_SHARE, () => this.#reacts()],
      [REPLY_SHARE, () => this.#replies()],
      [LIKE_SHARE, () => this.#likes()],
      [COMMENT_SHARE, () => this.#comments()],
      [AWAY_SHARE, () => this.#goesAway()],
      [GONE_SHARE, () => this.#isGone()],
    ] as const) {
      if (chance < share) return deed();
      chance -= share;
    }
    return this.#says();
  }

  async #says(): Promise<void> {
    const free = this.#world.talks.filter((talk) => !this.#busy.has(talk));
    if (free.length === 0) return;
    const talk = pick(free);
    const present = talk.members.filter((one) => one.isOnline && !this.#busy.has(one));
    if (present.length === 0) return;
    const speaker = pick(present);
    this.#busy.add(talk);
    try {
      const conversation_id = talk.id;
      await speaker.socket?.emit("typing", { conversation_id, is_typing: true });
      await this.#pause(TYPING_MIN_MS + Math.random() * TYPING_MORE_MS);
      const body = talk.lines[talk.at % talk.lines.length]!;
      const client_id = `demo-${this.#run}-${talk.at}`;
      const answer = await speaker.socket?.emit("send_message", {
        conversation_id,
        client_id,
        body,
      });
      if (answer?.ok !== true) return;
      talk.at++;
      talk.lastSeq++;
      this.counts.messages++;
    } finally {
      this.#busy.delete(talk);
    }
  }

  async #reads(person: Person, conversation_id: string, seq: number): Promise<void> {
    await person.socket?.emit("mark_delivered", { conversation_id, seq });
    if (Math.random() > READ_SHARE) return;
    await this.#pause(Math.random() * READING_MORE_MS);
    if (!this.#over.aborted) await person.socket?.emit("mark_read", { conversation_id, seq });
  }

  async #reacts(): Promise<void> {
    const talk = pick(this.#world.talks);
    const seq = Math.max(1, talk.lastSeq - Math.floor(Math.random() * RECENT));
    await react(pick(talk.members), talk.id, seq, pick(REACTIONS), Math.random() < 0.8);
    this.counts.reactions++;
  }

  async #replies(): Promise<void> {
    const talk = pick(this.#world.talks.filter(({ thread }) => thread !== null));
    const client_id = `demo-reply-${this.#run}-${this.counts.replies++}`;
    const path = `/api/conversations/${talk.thread}/messages`;
    await pick(talk.members).call("POST", path, { client_id, body: pick(REPLIES) });
  }

  async #likes(): Promise<void> {
    const [fan, post] = [pick(this.#world.people), pick(this.#world.posts)];
    // Some likes are taken back, so that counts fall as well.
    const method = Math.random() < 0.7 ? "POST" : "DELETE";
    await fan.call(method, `/api/posts/${post.id}/like`);
    this.counts.likes++;
  }

  async #comments(): Promise<void> {
    const post = pick(this.#world.posts);
    const body = { body: pick(COMMENTS) };
    await pick(this.#world.people).call("POST", `/api/posts/${post.id}/comments`, body);
    this.counts.comments++;
  }

  async #goesAway(): Promise<void> {
    const person = pick(this.#world.people);
    await person.socket?.emit("set_status", { status: "away" });
    await this.#pause(AWAY_MS);
    await person.socket?.emit("set_status", { status: "online" });
  }

  async #isGone(): Promise<void> {
    const person = pick(this.#world.people);
    if (this.#busy.has(person)) return;
    this.#busy.add(person);
    try {
      person.leaves();
      await this.#pause(GONE_MS);
      if (!this.#over.aborted) person.connects();
    } finally {
      this.#busy.delete(person);
    }
  }

  async #pause(ms: number): Promise<void> {
    try {
      await wait(ms, undefined, { signal: this.#over });
    } catch (error) {
      // The demo is over; the caller checks that.
      if (!this.#over.aborted) throw error;
    }
  }
}
