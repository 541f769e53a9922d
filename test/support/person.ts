/** Someone with an account: calls the API with their token and opens sessions. */

import type { ListPage } from "../../src/ports/social.ts";
import type { FileObject } from "../../src/protocol/files.ts";
import type { Conversation, Message, User } from "../../src/protocol/schemas.ts";
import type { Comment, Liked, Notification, Post } from "../../src/protocol/social.ts";
import type { Troupe } from "./cluster.ts";
import { type Answer, Api } from "./http.ts";
import { type ConnectOptions, Session } from "./session.ts";

export const PASSWORD = "correct horse battery";

export interface Login {
  user: User;
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

export class Person {
  readonly troupe: Troupe;
  readonly user: User;
  readonly api: Api;
  login: Login;
  #clientIds = 0;

  private constructor(troupe: Troupe, login: Login) {
    this.troupe = troupe;
    this.user = login.user;
    this.login = login;
    this.api = new Api(troupe.url, () => this.login.access_token, troupe.ca);
  }

  static async register(troupe: Troupe, username: string, displayName: string): Promise<Person> {
    const answer = await troupe.http.post<Login>("/api/auth/register", {
      username,
      password: PASSWORD,
      display_name: displayName,
    });
    return new Person(troupe, expectStatus(answer, 201));
  }

  /** Someone who has signed in by other means. */
  static of(troupe: Troupe, login: Login): Person {
    return new Person(troupe, login);
  }

  get id(): string {
    return this.user.id;
  }

  get token(): string {
    return this.login.access_token;
  }

  /** Signs in once more: a login of its own beside this one. */
  async signsInAgain(): Promise<Person> {
    const answer = await this.troupe.http.post<Login>("/api/auth/login", {
      username: this.user.username,
      password: PASSWORD,
    });
    return new Person(this.troupe, expectStatus(answer, 200));
  }

  /** Opens a session and waits for its `ready`. */
  async connects(options: ConnectOptions = {}): Promise<Session> {
    return Session.open(this.troupe, this.user.username, { token: this.token, ...options });
  }

  async startsGroup(...members: Person[]): Promise<Conversation> {
    return this.startsConversation(members, "A group");
  }

  async startsDirect(other: Person): Promise<Conversation> {
    return this.startsConversation([other]);
  }

  private async startsConversation(members: Person[], title?: string): Promise<Conversation> {
    const answer = await this.api.post<Conversation>("/api/conversations", {
      member_ids: members.map((member) => member.id),
      ...(title === undefined ? {} : { title }),
    });
    return expectStatus(answer, 201);
  }

  /** Sends over HTTP. */
  async posts(conversationId: string, body: string, files: FileObject[] = []): Promise<Message> {
    const path = `/api/conversations/${conversationId}/messages`;
    const attachments = files.map(({ id }) => ({ file_id: id }));
    const payload = {
      client_id: this.nextClientId(),
      body,
      ...(files.length > 0 && { attachments }),
    };
    return expectStatus(await this.api.post<Message>(path, payload), 201);
  }

  /** The short way: the bytes as the body. */
  async uploads(bytes: string | Buffer, name = "a file"): Promise<FileObject> {
    const path = `/api/files?name=${encodeURIComponent(name)}`;
    const headers = { "content-type": "application/octet-stream" };
    return expectStatus(
      await this.api.post<FileObject>(path, undefined, { raw: bytes, headers }),
      201,
    );
  }

  async publishes(body: string): Promise<Post> {
    return expectStatus(await this.api.post<Post>("/api/posts", { body }), 201);
  }

  /** The post as this person sees it. */
  async sees(post: { id: string }): Promise<Post> {
    return expectStatus(await this.api.get<Post>(`/api/posts/${post.id}`), 200);
  }

  async likes(post: { id: string }): Promise<Liked> {
    return expectStatus(await this.api.post<Liked>(`/api/posts/${post.id}/like`), 200);
  }

  async unlikes(post: { id: string }): Promise<Liked> {
    return expectStatus(await this.api.delete<Liked>(`/api/posts/${post.id}/like`), 200);
  }

  async comments(post: { id: string }, body: string): Promise<Comment> {
    const answer = await this.api.post<Comment>(`/api/posts/${post.id}/comments`, { body });
    return expectStatus(answer, 201);
  }

  async follows(other: Person): Promise<void> {
    const answer = await this.api.post(`/api/users/${other.id}/follow`);
    expectStatus<unknown>(answer, 200);
  }

  async blocks(other: Person): Promise<void> {
    const answer = await this.api.post(`/api/users/${other.id}/block`);
    expectStatus<unknown>(answer, 200);
  }

  async unblocks(other: Person): Promise<void> {
    const answer = await this.api.delete(`/api/users/${other.id}/block`);
    expectStatus<unknown>(answer, 200);
  }

  /** Every item of a list, page by page; `limit` a page. */
  async lists<T>(path: string, limit = 100): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const answer = await this.api.get<ListPage<T>>(`${path}?limit=${limit}${query}`);
      const page: ListPage<T> = expectStatus(answer, 200);
      items.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return items;
  }

  /** All notifications, newest first. */
  notices(): Promise<Notification[]> {
    return this.lists<Notification>("/api/notifications");
  }

  nextClientId(): string {
    this.#clientIds++;
    return `${this.user.username}-${this.#clientIds}`;
  }

  /** The whole history by rising seq, page by page. */
  async reads(conversationId: string): Promise<Message[]> {
    const messages: Message[] = [];
    for (;;) {
      const after = messages.at(-1)?.seq ?? 0;
      const answer = await this.api.get<{ items: Message[]; has_more: boolean }>(
        `/api/conversations/${conversationId}/messages?after_seq=${after}&limit=100`,
      );
      const page = expectStatus(answer, 200);
      messages.push(...page.items);
      if (!page.has_more) return messages;
    }
  }
}

export function expectStatus<T>(answer: Answer<T>, status: number): T {
  if (answer.status !== status) {
    throw new Error(`expected ${status}, got ${answer.status}: ${answer.text}`);
  }
  return answer.body;
}
