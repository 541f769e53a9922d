/**
 * The small card of one person: who they are and how, following and blocking them, and the way
 * to a conversation with them.
 */
import { type ReactElement, useState } from "react";
import { useTroupe, useUser } from "../../client/react.ts";
import { PersonAvatar, Presence, useName } from "../../client/ui/avatar.tsx";
import type { Result } from "../../protocol/errors.ts";
import { goTo, usePage } from "./context.ts";
import { Dialog, Question } from "./dialog.tsx";
import { answerOf } from "./http.ts";
import { talkAddress } from "./route.ts";
import { useStore } from "./store.ts";

export interface PersonCardProps {
  userId: string;
  onClose(): void;
}

export function PersonCard({ userId, onClose }: PersonCardProps): ReactElement {
  const { social, me } = usePage();
  const client = useTroupe();
  const user = useUser(userId);
  const name = useName(userId);
  const relations = useStore(social.relations);
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [isAsked, setAsked] = useState(false);
  const isMe = userId === me.id;
  const isFollowed = relations.following.has(userId);
  const isBlocked = relations.blocked.has(userId);

  const doing = async (work: () => Promise<Result<unknown>>): Promise<void> => {
    if (isBusy) return;
    setBusy(true);
    setProblem("");
    const answer = await work();
    setBusy(false);
    if (!answer.ok) setProblem(answer.error.message);
  };
  const write = async (): Promise<Result<unknown>> => {
    const answer = await answerOf(client.createConversation([userId]));
    if (answer.ok) {
      onClose();
      goTo(talkAddress(answer.value.id));
    }
    return answer;
  };

  return (
    <>
      <Dialog title={name} className="person" onClose={onClose}>
        <PersonAvatar userId={userId} />
        <p className="person-username">{user ? `@${user.username}` : ""}</p>
        <p className="person-presence">{isMe ? "This is you" : <Presence userId={userId} />}</p>
        {!isMe && (
          <div className="person-buttons">
            {!isBlocked && (
              <>
                <button
                  type="button"
                  className={`button-primary ${isFollowed ? "is-on" : ""}`}
                  title={isFollowed ? "Follow no longer" : undefined}
                  onClick={() => void doing(() => social.follow(userId, !isFollowed))}
                >
                  {isFollowed ? "Following" : "Follow"}
                </button>
                <button type="button" className="button-quiet" onClick={() => void doing(write)}>
                  Message
                </button>
              </>
            )}
            <button
              type="button"
              className="button-quiet person-block"
              onClick={() => {
                if (isBlocked) void doing(() => social.block(userId, false));
                else setAsked(true);
              }}
            >
              {isBlocked ? "Unblock" : "Block"}
            </button>
          </div>
        )}
        <p className="field-problem" role="alert">
          {problem}
        </p>
      </Dialog>
      {isAsked && (
        <Question
          question={`Block ${name}? You will not see each other's posts.`}
          action="Block"
          onConfirmed={() => void doing(() => social.block(userId, true))}
          onClose={() => setAsked(false)}
        />
      )}
    </>
  );
}
