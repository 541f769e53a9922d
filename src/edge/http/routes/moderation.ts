/**
 * Reports and what moderators make of them, and the rules for texts.
 *
 * [RPT1] A report copies what its user sees at that moment; what they do not see is not found.
 * [RPT2] Where two moderators resolve a report at once, one does, and the other gets `conflict`. A
 *        report is resolved once its action is carried out: where that fails it stays open.
 * [RPT3] The reporter gets a notification that the report was resolved, never how.
 * [RPT14] The reports of a user within an hour are counted in storage, so that their number is exact
 *         over all workers. The bucket of RATE_LIMIT_REPORT stands before it.
 */

import type { Queries } from "../../../ports/edge.ts";
import type { ModerationStore, NewReport } from "../../../ports/moderation.ts";
import type { SocialQueries } from "../../../ports/social.ts";
import { ok, REFUSALS, type Result, refused } from "../../../protocol/errors.ts";
import type { PostId } from "../../../protocol/ids.ts";
import type { Report, ReportAction, ReportSubject } from "../../../protocol/moderation-routes.ts";
import { RULES } from "../../../protocol/policy.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import { asConversationId, asUserId } from "../../../protocol/schemas.ts";
import type { Auth } from "../../auth/auth.ts";
import type { Identity } from "../../auth/identity.ts";
import { tooMany } from "../../limits/limits.ts";
import { rulesProblem } from "../../moderation/matcher.ts";
import type { WordRules } from "../../moderation/word-rules.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, BAD_CURSOR, badField, type Handlers } from "../server/call.ts";
import type { AskActors } from "./conversations.ts";
import { shownTo } from "./users.ts";

type Route = "createReport" | "listReports" | "resolveReport" | "getWordRules" | "putWordRules";

type ReportQueries = Pick<SocialQueries, "post" | "comment"> & Pick<Queries, "history" | "user">;
type Content = Pick<NewReport, "authorId" | "content">;

/** Longer than any action takes: a moderator's call that died gives the report free after it. */
const CLAIM_MS = 30_000;

const ONE_SUBJECT = badField(
  "body",
  "subject",
  "must be one of conversation_id and seq, user_id, post_id, comment_id",
);
const NO_REPORT = refused("not_found", "No such report.");
const RESOLVED = refused("conflict", "This report has been resolved, or is at this moment.");
const UNFIT = refused("conflict", "This action does not fit what was reported.");

export function moderationRoutes(
  store: ModerationStore,
  queries: ReportQueries,
  gateway: AskActors,
  auth: Pick<Auth, "suspend">,
  wordRules: Pick<WordRules, "follow">,
  mostReportsAnHour: number | null,
): Handlers<Route> {
  /** [RPT1] */
  async function contentOf(caller: Identity, subject: ReportSubject): Promise<Result<Content>> {
    const reader = caller.userId;
    const { conversation_id, seq, user_id, post_id, comment_id } = subject;
    if (conversation_id !== undefined && seq !== undefined) {
      const window = { afterSeq: seq - 1, beforeSeq: seq + 1, limit: 1 };
      const id = asConversationId(conversation_id);
      const page = await orUnreachable(queries.history(reader, id, window));
      if (page === null) return REFUSALS.conversationNotFound;
      const [message] = page.value().items;
      if (message === undefined) return REFUSALS.messageNotFound;
      return ok({ authorId: message.sender_id, content: message });
    }
    if (user_id !== undefined) {
      const user = await orUnreachable(queries.user(asUserId(user_id)));
      if (user === null) return REFUSALS.userNotFound;
      return ok({ authorId: user.id, content: shownTo(caller, user) });
    }
    if (post_id !== undefined) {
      const post = await orUnreachable(queries.post(reader, post_id as PostId));
      return post === null ? RULES.visible : ok({ authorId: post.author_id, content: post });
    }
    const comment = await orUnreachable(queries.comment(reader, comment_id ?? ""));
    if (comment === null) return refused("not_found", "No such comment.");
    return ok({ authorId: comment.author_id, content: comment });
  }

  /** Carries out what was decided. Refuses: conflict (it does not fit the subject). */
  async function act(
    { subject, author_id, content }: Report,
    action: ReportAction,
    note: string | null,
  ): Promise<Result<unknown>> {
    const { conversation_id, seq, post_id, comment_id } = subject;
    switch (action) {
      case "none":
        return ok(null);
      case "delete":
        if (conversation_id !== undefined && seq !== undefined) {
          return goneOrOk(
            await gateway.ask("conversation", conversation_id, "moderator_delete", { seq }),
          );
        }
        if (post_id !== undefined) {
          return goneOrOk(await gateway.ask("post", post_id, "delete", { user: null }));
        }
        if (comment_id !== undefined) {
          const comment = { user: null, comment_id };
          const post = String(content["post_id"]);
          return goneOrOk(await gateway.ask("post", post, "delete_comment", comment));
        }
        return UNFIT;
      case "suspend":
        if (author_id === null) return UNFIT;
        return auth.suspend(asUserId(author_id), { until: null, reason: note });
      case "ban": {
        if (author_id === null || conversation_id === undefined) return UNFIT;
        const ban = { user_id: asUserId(author_id), until: null, reason: note };
        const banned = await gateway.ask("conversation", conversation_id, "moderator_ban", ban);
        return banned.ok || banned.error.code === "unavailable" ? banned : UNFIT;
      }
    }
  }

  /** [RPT3] */
  function tellReporter({ id, reporter_id }: Report): void {
    if (reporter_id === null) return;
    void gateway.ask("user", reporter_id, "notify", {
      type: "report_resolved",
      message: "Your report has been looked at. Thank you.",
      actor_id: null,
      post_id: null,
      comment_id: null,
      data: { report_id: id },
    });
  }

  return {
    async createReport({ caller, body: { subject, reason, note = null } }) {
      if (!isOneSubject(subject)) return ONE_SUBJECT;
      const content = await contentOf(caller, subject);
      if (!content.ok) return content;
      const by = { user: caller.userId };
      const report = { by, subject, reason, note, ...content.value };
      const most = caller.service === null ? mostReportsAnHour : null;
      const added = await orUnreachable(store.addReport(report, most));
      if ("waitMs" in added) return { ok: false, error: tooMany(added.waitMs) };
      return answered(added.created ? 201 : 200, ok({ id: added.id }));
    },

    async listReports({ query: { state = null, limit = PAGE_LIMIT_DEFAULT, cursor = null } }) {
      const page = await orUnreachable(store.reports(state, limit, cursor));
      return page === undefined ? BAD_CURSOR : answered(200, ok(page));
    },

    async resolveReport({ caller, params: { id }, body: { action, note = null } }) {
      const report = await orUnreachable(store.claimReport(id, CLAIM_MS));
      if (report === null) return NO_REPORT;
      if (report === "taken") return RESOLVED;
      const by = caller.service?.subject ?? "";
      let done: Result<unknown> = REFUSALS.unavailable;
      try {
        done = await act(report, action, note);
      } finally {
        if (!done.ok) await store.settleReport(id, null).catch(() => null);
      }
      if (!done.ok) return done;
      const settled = await orUnreachable(store.settleReport(id, { action, note, by }));
      if (settled === null) return RESOLVED;
      tellReporter(settled);
      return answered(200, ok(settled));
    },

    async getWordRules() {
      const { rules } = await orUnreachable(store.wordRules());
      return answered(200, ok({ rules }));
    },

    async putWordRules({ body: { rules } }) {
      const wrong = await rulesProblem(rules);
      if (wrong !== null) return badField("body", wrong.at, wrong.problem);
      await wordRules.follow(await orUnreachable(store.putWordRules(rules)));
      return answered(200, ok({ rules }));
    },
  };
}

function isOneSubject({ conversation_id, seq, ...others }: ReportSubject): boolean {
  const isMessage = conversation_id !== undefined;
  if (isMessage !== (seq !== undefined)) return false;
  return Object.keys(others).length + (isMessage ? 1 : 0) === 1;
}

/** An object that is not found has been deleted already. */
function goneOrOk(answer: Result<unknown>): Result<unknown> {
  return answer.ok || answer.error.code !== "not_found" ? answer : ok(null);
}
