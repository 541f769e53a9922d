/**
 * What channels have of their own: how many watch, joining in the place of the composer, and their
 * members, whom moderators read a page at a time.
 */
import { type ReactElement, useEffect, useId, useMemo, useState } from "react";
import type { Member } from "../../protocol/schemas.ts";
import { attempt } from "../attached.ts";
import { channelsOf } from "../channels.ts";
import { systemClock } from "../clock.ts";
import { TroupeError } from "../error.ts";
import { useReadable, useTroupe } from "../react.ts";
import type { ConversationView } from "../views.ts";
import { useShared } from "./frame.tsx";

const WATCHED_ON_MS = 2_000;

export const isChannel = ({ conversation }: ConversationView): boolean =>
  conversation.kind === "channel";

/**
 * A channel is watched for as long as it is shown and a moment longer, since the next view of it often
 * comes at once. Then it is left, for a session watches few.
 */
export function useWatching(view: ConversationView): void {
  const client = useTroupe();
  const { id } = view;
  const isOne = isChannel(view);
  useEffect(() => {
    if (!isOne) return;
    const stop = channelsOf(client).watch(id);
    return () => void systemClock.after(WATCHED_ON_MS, stop);
  }, [client, id, isOne]);
}

/** Its members and, once the server has said so, how many watch. */
export function Occupancy({ view }: { view: ConversationView }): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  const occupancy = useReadable(
    useMemo(() => channelsOf(client).occupancy(view.id), [client, view.id]),
  );
  const members = texts.members(occupancy?.member_count ?? view.memberCount);
  return <>{occupancy === null ? members : `${members}, ${texts.watching(occupancy.watching)}`}</>;
}

/** Becomes a member of a channel that is open to join; a refusal is shown. */
export function JoinChannel({ channelId }: { channelId: string }): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const join = async (): Promise<void> => {
    setBusy(true);
    setProblem("");
    try {
      await channelsOf(client).join(channelId);
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      setProblem(error.code === "not_found" ? texts.notJoinable : error.message);
    }
    setBusy(false);
  };
  return (
    <div className="troupe-composer troupe-join">
      <button type="button" disabled={isBusy} onClick={() => void join()}>
        {texts.joinChannel}
      </button>
      <p className="troupe-problem" role="alert">
        {problem}
      </p>
    </div>
  );
}

const NOBODY: readonly Member[] = [];

export interface ChannelMembersProps {
  channelId: string;
  /** Shows one of them. */
  row(member: Member): ReactElement;
}

/** Those whose names begin so, as far as they were asked for. */
export function ChannelMembers({ channelId, row }: ChannelMembersProps): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  const id = useId();
  const [q, setQ] = useState("");
  const [found, setFound] = useState({ q: "", members: NOBODY, next: null as string | null });
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    let isOver = false;
    setBusy(true);
    void attempt(
      channelsOf(client)
        .members(channelId, { q: q.trim() })
        .then(({ items, next_cursor }) => {
          if (!isOver) setFound({ q, members: items, next: next_cursor });
        }),
    ).then(() => {
      if (!isOver) setBusy(false);
    });
    return () => {
      isOver = true;
    };
  }, [client, channelId, q]);

  const more = async (cursor: string): Promise<void> => {
    setBusy(true);
    await attempt(
      channelsOf(client)
        .members(channelId, { q: found.q.trim(), cursor })
        .then(({ items, next_cursor }) =>
          setFound((before) =>
            before.next === cursor
              ? { ...before, members: [...before.members, ...items], next: next_cursor }
              : before,
          ),
        ),
    );
    setBusy(false);
  };
  const { next } = found;
  return (
    <>
      <div className="troupe-line">
        <label htmlFor={id}>{texts.findMember}</label>
        <input
          id={id}
          type="search"
          dir="auto"
          value={q}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setQ(event.target.value)}
        />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard */}
      <div className="troupe-members" tabIndex={0} aria-busy={isBusy || undefined}>
        <ul>
          {found.members.map((member) => (
            <li key={member.user_id}>{row(member)}</li>
          ))}
        </ul>
        {next !== null && (
          <button type="button" className="troupe-more" onClick={() => void more(next)}>
            {texts.moreMembers}
          </button>
        )}
      </div>
    </>
  );
}
