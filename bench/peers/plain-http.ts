/** The plain server's HTTP routes: fastify, with its schemas for what comes in. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Server } from "socket.io";
import { LatestOnly } from "./plain-latest.ts";
import type { PlainStore } from "./plain-store.ts";
import { hashPassword, isPassword, type PlainTokens } from "./plain-tokens.ts";

const TEXT = { type: "string", minLength: 1, maxLength: 4000 };
const ID = { type: "string", pattern: "^[1-9][0-9]{0,18}$" };
const BY_ID = { params: { type: "object", properties: { id: ID }, required: ["id"] } };
const LIMIT_DEFAULT = 50;

const bodyOf = (properties: Record<string, object>, required: string[]) => ({
  body: { type: "object", properties, required, additionalProperties: false },
});
const CREDENTIALS = bodyOf({ username: TEXT, password: TEXT }, ["username", "password"]);

interface ById {
  Params: { id: string };
  Querystring: { limit?: string };
}

export function addRoutes(
  app: FastifyInstance,
  io: Server,
  { store, tokens }: { store: PlainStore; tokens: PlainTokens },
): void {
  const likeUpdates = new LatestOnly((post, like_count: number) => {
    io.to(`like_updates:${post}`).emit("like_update", { post_id: post, like_count });
  });
  const commentUpdates = new LatestOnly((post, comment_count: number) => {
    io.to(`comment_updates:${post}`).emit("comment_update", { post_id: post, comment_count });
  });

  /** The caller's id, or null and the refusal is sent. */
  async function caller(request: FastifyRequest, reply: FastifyReply): Promise<string | null> {
    const header = request.headers.authorization ?? "";
    const known = header.startsWith("Bearer ") ? await tokens.check(header.slice(7)) : null;
    if (known === null) refuse(reply, 401, "unauthorized");
    return known?.userId ?? null;
  }

  app.get("/readyz", async () => ({ status: "ready" }));

  app.post<{ Body: { username: string; password: string } }>(
    "/api/auth/register",
    { schema: CREDENTIALS },
    async ({ body }, reply) => {
      const user = await store.register(body.username, await hashPassword(body.password));
      if (user === null) return refuse(reply, 409, "conflict");
      return reply.code(201).send({ user, access_token: await tokens.issue(user.id) });
    },
  );

  app.post<{ Body: { username: string; password: string } }>(
    "/api/auth/login",
    { schema: CREDENTIALS },
    async ({ body }, reply) => {
      const found = await store.userWithHash(body.username);
      if (found === null || !(await isPassword(body.password, found.password_hash))) {
        return refuse(reply, 401, "unauthorized");
      }
      const { password_hash: _, ...user } = found;
      return { user, access_token: await tokens.issue(user.id) };
    },
  );

  app.post<{ Body: { member_ids: string[]; title?: string } }>(
    "/api/conversations",
    {
      schema: bodyOf({ member_ids: { type: "array", items: ID, maxItems: 1000 }, title: TEXT }, [
        "member_ids",
      ]),
    },
    async (request, reply) => {
      const userId = await caller(request, reply);
      if (userId === null) return reply;
      const { member_ids, title = null } = request.body;
      const members = [...new Set([userId, ...member_ids])];
      const { id } = await store.createConversation(members, title);
      for (const member of members) io.in(`user:${member}`).socketsJoin(`conversations:${id}`);
      return reply.code(201).send(await store.conversation(id));
    },
  );

  app.post<ById & { Body: { client_id: string; body: string; reply_to_seq?: number } }>(
    "/api/conversations/:id/messages",
    {
      schema: {
        ...BY_ID,
        ...bodyOf({ client_id: TEXT, body: TEXT, reply_to_seq: { type: "integer" } }, [
          "client_id",
          "body",
        ]),
      },
    },
    async (request, reply) => {
      const userId = await caller(request, reply);
      if (userId === null) return reply;
      const { client_id, body, reply_to_seq = null } = request.body;
      const sent = await store.send(request.params.id, userId, client_id, body, reply_to_seq);
      if (sent === null) return refuse(reply, 404, "not_found");
      if (!sent.isDuplicate) {
        io.to(`conversations:${request.params.id}`).emit("message", sent.message);
      }
      return reply.code(sent.isDuplicate ? 200 : 201).send(sent.message);
    },
  );

  app.get<ById>("/api/conversations/:id/messages", { schema: BY_ID }, async (request, reply) => {
    const userId = await caller(request, reply);
    if (userId === null) return reply;
    if (!(await store.isMember(request.params.id, userId))) return refuse(reply, 404, "not_found");
    const limit = Math.min(100, Number(request.query.limit ?? LIMIT_DEFAULT));
    const items = await store.newestMessages(request.params.id, limit + 1);
    const has_more = items.length > limit;
    return { items: has_more ? items.slice(1) : items, has_more };
  });

  app.get<ById>("/api/feed", async (request, reply) => {
    const userId = await caller(request, reply);
    if (userId === null) return reply;
    const limit = Math.min(100, Number(request.query.limit ?? LIMIT_DEFAULT));
    const items = await store.feed(userId, limit + 1);
    return { items: items.slice(0, limit), next_cursor: items.length > limit ? "more" : null };
  });

  for (const method of ["POST", "DELETE"] as const) {
    app.route<ById>({
      method,
      url: "/api/posts/:id/like",
      schema: BY_ID,
      handler: async (request, reply) => {
        const userId = await caller(request, reply);
        if (userId === null) return reply;
        const { id } = request.params;
        const liked = method === "POST";
        const like_count = await store.like(id, userId, liked);
        if (like_count === null) return refuse(reply, 404, "not_found");
        likeUpdates.say(id, like_count);
        return { post_id: id, liked, like_count };
      },
    });
  }

  app.post<ById & { Body: { body: string } }>(
    "/api/posts/:id/comments",
    { schema: { ...BY_ID, ...bodyOf({ body: TEXT }, ["body"]) } },
    async (request, reply) => {
      const userId = await caller(request, reply);
      if (userId === null) return reply;
      const { id } = request.params;
      const added = await store.comment(id, userId, request.body.body);
      if (added === null) return refuse(reply, 404, "not_found");
      commentUpdates.say(id, added.count);
      return reply.code(201).send(added.comment);
    },
  );
}

function refuse(reply: FastifyReply, status: number, code: string): FastifyReply {
  return reply.code(status).send({ error: { code, message: code } });
}
