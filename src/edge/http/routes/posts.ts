/**
 * Posts, likes and comments. Changes are asked of the post's actor (a new post: of its author's),
 * which also counts them. Reads go to the database, which leaves out posts and comments that the
 * reader may not see.
 */

import type { SocialQueries } from "../../../ports/social.ts";
import { ok, type Result } from "../../../protocol/errors.ts";
import type { PostId } from "../../../protocol/ids.ts";
import { editOf } from "../../../protocol/message-content.ts";
import { RULES } from "../../../protocol/policy.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import type { Liked } from "../../../protocol/social.ts";
import type { Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, BAD_CURSOR, badField, type Handlers } from "../server/call.ts";
import type { AskActors } from "./conversations.ts";

type Route =
  | "createPost"
  | "getPost"
  | "editPost"
  | "deletePost"
  | "deleteComment"
  | "listFeed"
  | "likePost"
  | "unlikePost"
  | "createComment"
  | "listComments";

type PostQueries = Pick<SocialQueries, "post" | "feed" | "comments">;

const NO_CHANGE = badField("body", "body", "or data or attachments are expected");

const asPostId = (id: string) => id as PostId;

export function postRoutes(gateway: AskActors, queries: PostQueries): Handlers<Route> {
  async function like(
    caller: Identity,
    post: string,
    liked: boolean,
  ): Promise<Result<{ status: 200; body: Liked }>> {
    return answered(200, await gateway.ask("post", post, "like", { user: caller.userId, liked }));
  }

  return {
    async createPost({ caller, body }) {
      return answered(201, await gateway.ask("user", caller.userId, "create_post", editOf(body)));
    },

    async getPost({ caller, params }) {
      const post = await orUnreachable(queries.post(caller.userId, asPostId(params.id)));
      return post === null ? RULES.visible : answered(200, ok(post));
    },

    async editPost({ caller, params, body }) {
      if (Object.keys(body).length === 0) return NO_CHANGE;
      const change = { ...editOf(body), user: caller.userId };
      return answered(200, await gateway.ask("post", params.id, "edit", change));
    },

    async deletePost({ caller, params }) {
      const user = caller.userId;
      const answer = await gateway.ask("post", params.id, "delete", { user });
      return answer.ok ? answered(204, ok(null)) : answer;
    },

    async listFeed({ caller, query }) {
      const limit = query.limit ?? PAGE_LIMIT_DEFAULT;
      const page = await orUnreachable(queries.feed(caller.userId, limit, query.cursor ?? null));
      return page === undefined ? BAD_CURSOR : answered(200, ok(page));
    },

    likePost: ({ caller, params }) => like(caller, params.id, true),
    unlikePost: ({ caller, params }) => like(caller, params.id, false),

    async createComment({ caller, params, body }) {
      const comment = { user: caller.userId, ...body };
      return answered(201, await gateway.ask("post", params.id, "comment", comment));
    },

    async deleteComment({ caller, params }) {
      const comment = { user: caller.userId, comment_id: params.comment_id };
      const answer = await gateway.ask("post", params.id, "delete_comment", comment);
      return answer.ok ? answered(204, ok(null)) : answer;
    },

    async listComments({ caller, params, query }) {
      const limit = query.limit ?? PAGE_LIMIT_DEFAULT;
      const page = await orUnreachable(
        queries.comments(caller.userId, asPostId(params.id), limit, query.cursor ?? null),
      );
      if (page === undefined) return BAD_CURSOR;
      return page === null ? RULES.visible : answered(200, ok(page));
    },
  };
}
