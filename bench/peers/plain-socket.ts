/** The plain server's events: a room a conversation, a room a watched user, a room a post. */
import type { Redis } from "ioredis";
import type { Server, Socket } from "socket.io";
import type { PlainStore } from "./plain-store.ts";
import type { PlainTokens } from "./plain-tokens.ts";

const TYPING_SILENCE_MS = 5_000;
const GRACE_MS = 5_000;

type Ack = (answer: object) => void;
interface Known {
  userId: string;
  expiresAtMs: number;
}

export interface PlainDeps {
  store: PlainStore;
  tokens: PlainTokens;
  presence: Redis;
}

export function addSocketEvents(io: Server, deps: PlainDeps): void {
  io.use((socket, next) => {
    const { token } = socket.handshake.auth as { token?: unknown };
    deps.tokens.check(typeof token === "string" ? token : "").then((known) => {
      if (known === null) {
        next(new Error("unauthorized"));
        return;
      }
      socket.data = known;
      next();
    }, next);
  });
  io.on("connection", (socket) => {
    begin(io, socket, deps).catch((error: unknown) => {
      console.error(error);
      socket.disconnect(true);
    });
  });
}

async function begin(io: Server, socket: Socket, deps: PlainDeps): Promise<void> {
  const { store, presence } = deps;
  const { userId, expiresAtMs } = socket.data as Known;
  // Before anything is awaited: what the client sends at once must find its handler.
  addHandlers(io, socket, deps);
  const [user, memberships, followees] = await Promise.all([
    store.user(userId),
    store.memberships(userId),
    store.followees(userId),
  ]);
  if (user === null) {
    socket.disconnect(true);
    return;
  }
  const peers = memberships.flatMap(({ peer_id }) => (peer_id === null ? [] : [peer_id]));
  await socket.join([
    `user:${userId}`,
    ...memberships.map(({ id }) => `conversations:${id}`),
    ...[...peers, ...followees].map((id) => `user_status:${id}`),
  ]);
  // A user who reconnects within the grace period stays online; nothing is published.
  const answers = await presence
    .multi()
    .hset(`sessions:${userId}`, socket.id, "online")
    .set(`present:${userId}`, 1, "GET")
    .exec();
  if (answers?.[1]?.[1] === null) sayStatus(io, userId, "online");
  socket.emit("ready", {
    user,
    session_id: socket.id,
    server_time: new Date(),
    token_expires_at: new Date(expiresAtMs),
    unread: {
      notifications: 0,
      conversations: memberships
        .filter(({ last_seq, read_seq }) => last_seq > read_seq)
        .map(({ id, last_seq, read_seq }) => ({ conversation_id: id, last_seq, read_seq })),
    },
  });
}

function addHandlers(io: Server, socket: Socket, { store, presence }: PlainDeps): void {
  const { userId } = socket.data as Known;
  const typing = new Map<string, NodeJS.Timeout>();

  /** Answers what goes wrong instead of leaving the client without an answer. */
  const on = <P>(name: string, handle: (payload: P) => Promise<object> | object) => {
    socket.on(name, (payload: P, ack?: Ack) => {
      Promise.resolve()
        .then(() => handle(payload))
        .then(
          (answer) => ack?.({ ok: true, ...answer }),
          (error: unknown) => {
            const code = error instanceof Refusal ? error.message : "internal";
            if (code === "internal") console.error(error);
            ack?.({ ok: false, error: { code, message: code } });
          },
        );
    });
  };
  const ofMember = (id: string) => {
    // In the room since the connection, or since join_conversation: nothing to look up.
    if (!socket.rooms.has(`conversations:${id}`)) throw new Refusal("not_found");
  };
  const sayTyping = (id: string, is_typing: boolean) => {
    const event = { conversation_id: id, user_id: userId, is_typing };
    socket.to(`conversations:${id}`).emit("typing", event);
  };
  const endTyping = (id: string) => {
    clearTimeout(typing.get(id));
    if (typing.delete(id)) sayTyping(id, false);
  };

  on("send_message", async (payload: SendMessage) => {
    const { conversation_id: id, client_id, body, reply_to_seq = null } = payload;
    if (typeof body !== "string" || typeof client_id !== "string" || body === "") {
      throw new Refusal("invalid_payload");
    }
    const sent = await store.send(id, userId, client_id, body, reply_to_seq);
    if (sent === null) throw new Refusal("not_found");
    if (sent.isDuplicate) return { message: sent.message, duplicate: true };
    endTyping(id);
    socket.to(`conversations:${id}`).emit("message", sent.message);
    return { message: sent.message };
  });

  on("join_conversation", async ({ conversation_id: id, limit = 50 }: Join) => {
    if (!(await store.isMember(id, userId))) throw new Refusal("not_found");
    await socket.join(`conversations:${id}`);
    const [conversation, messages] = await Promise.all([
      store.conversation(id),
      store.newestMessages(id, limit),
    ]);
    return { conversation, messages, has_more: messages.length === limit, typing: [] };
  });

  on("typing", ({ conversation_id: id, is_typing }: Typing) => {
    ofMember(id);
    const timer = typing.get(id);
    if (!is_typing) {
      endTyping(id);
    } else if (timer !== undefined) {
      timer.refresh();
    } else {
      typing.set(
        id,
        setTimeout(() => endTyping(id), TYPING_SILENCE_MS),
      );
      sayTyping(id, true);
    }
    return {};
  });

  for (const name of ["mark_read", "mark_delivered"]) {
    on(name, async ({ conversation_id: id, seq }: Mark) => {
      const cursors = await store.mark(id, userId, seq, name === "mark_read" ? seq : 0);
      if (cursors === null) throw new Refusal("not_found");
      const receipt = { conversation_id: id, user_id: userId, ...cursors };
      socket.to(`conversations:${id}`).emit("receipt", receipt);
      return cursors;
    });
  }

  on("sync", async ({ conversations }: Sync) => {
    const ids = conversations.map(({ conversation_id }) => conversation_id);
    const revs = conversations.map(({ after_rev }) => after_rev);
    const [changes, receipts] = await Promise.all([
      store.changes(userId, ids, revs),
      store.receipts(userId, ids),
    ]);
    return {
      conversations: changes.map((change) => ({
        ...change,
        conversation: null,
        has_more: change.messages.length === 200,
        reset: false,
      })),
      receipts,
      removed: [],
      notifications: [],
      has_more: false,
    };
  });

  on("watch_posts", async ({ post_ids }: { post_ids: string[] }) => {
    await socket.join(post_ids.flatMap((id) => [`like_updates:${id}`, `comment_updates:${id}`]));
    return { posts: await store.postCounts(post_ids) };
  });

  on("watch_presence", async ({ user_ids }: { user_ids: string[] }) => {
    await socket.join(user_ids.map((id) => `user_status:${id}`));
    const pipeline = presence.pipeline();
    for (const id of user_ids) pipeline.hvals(`sessions:${id}`);
    const answers = (await pipeline.exec()) ?? [];
    return {
      statuses: user_ids.map((user_id, i) => ({
        user_id,
        status: best((answers[i]?.[1] as string[] | undefined) ?? []),
        last_seen_at: null,
      })),
    };
  });

  on("set_status", async ({ status }: { status: string }) => {
    const key = `sessions:${userId}`;
    const answers = await presence
      .multi()
      .hvals(key)
      .hset(key, socket.id, status)
      .hvals(key)
      .exec();
    const [before, after] = [answers?.[0], answers?.[2]].map((one) =>
      best((one?.[1] as string[] | undefined) ?? []),
    );
    if (before !== after) sayStatus(io, userId, after!);
    return {};
  });

  socket.on("disconnect", () => {
    for (const id of [...typing.keys()]) endTyping(id);
    const key = `sessions:${userId}`;
    presence.hdel(key, socket.id).catch((error: unknown) => console.error(error));
    setTimeout(() => {
      presence
        .hlen(key)
        .then((left) => {
          if (left === 0) return presence.del(`present:${userId}`);
          return 0;
        })
        .then((gone) => {
          if (gone === 1) sayStatus(io, userId, "offline");
        })
        .catch((error: unknown) => console.error(error));
    }, GRACE_MS);
  });
}

function sayStatus(io: Server, userId: string, status: string): void {
  io.to(`user_status:${userId}`).emit("user_status", {
    user_id: userId,
    status,
    last_seen_at: status === "offline" ? new Date() : null,
  });
}

function best(statuses: string[]): string {
  if (statuses.includes("online")) return "online";
  return statuses.length > 0 ? "away" : "offline";
}

class Refusal extends Error {}

interface SendMessage {
  conversation_id: string;
  client_id: string;
  body: string;
  reply_to_seq?: number;
}
interface Join {
  conversation_id: string;
  limit?: number;
}
interface Typing {
  conversation_id: string;
  is_typing: boolean;
}
interface Mark {
  conversation_id: string;
  seq: number;
}
interface Sync {
  conversations: { conversation_id: string; after_rev: number }[];
}
