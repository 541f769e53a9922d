/** The members of a conversation with their roles and presence, the highest role first. */
import { type ReactElement, useEffect, useMemo } from "react";
import { Virtualizer } from "virtua";
import { rankOf, roleIn } from "../../protocol/permissions.ts";
import { attempt } from "../attached.ts";
import { loadMembers } from "../members.ts";
import { useConversation, useMe, useTroupe } from "../react.ts";
import { PersonAvatar, Presence, useName } from "./avatar.tsx";
import { useShared } from "./frame.tsx";
import { Panel } from "./panel.tsx";
import type { MemberProps } from "./parts.ts";

export interface MembersProps {
  conversationId: string;
  onClose?: () => void;
}

export function Members({ conversationId, onClose }: MembersProps): ReactElement {
  const client = useTroupe();
  const { texts, parts } = useShared();
  const conversation = useConversation(conversationId)?.conversation;
  const isPartial = conversation?.members_partial === true;
  useEffect(() => {
    // After a gap some are missing again.
    if (isPartial) void attempt(loadMembers(client, conversationId));
  }, [client, conversationId, isPartial]);
  const members = useMemo(() => {
    const all = conversation?.members ?? [];
    const ranked = all.map((member) => ({ member, role: roleIn(conversation!, member) }));
    return ranked.sort((a, b) => rankOf(b.role) - rankOf(a.role));
  }, [conversation]);
  const Part = parts.Member ?? OwnMember;
  return (
    <Panel title={texts.membersTitle} onClose={onClose}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard */}
      <div className="troupe-members" tabIndex={0} aria-busy={isPartial || undefined}>
        <Virtualizer as="ul" item="li">
          {members.map(({ member, role }) => (
            <Part key={member.user_id} member={member} role={role} />
          ))}
        </Virtualizer>
      </div>
    </Panel>
  );
}

function OwnMember({ member, role }: MemberProps): ReactElement {
  const { texts } = useShared();
  const name = useName(member.user_id);
  const isMe = useMe()?.id === member.user_id;
  return (
    <div className="troupe-member">
      <PersonAvatar userId={member.user_id} />
      <span className="troupe-heading">
        <bdi className="troupe-row-title">{isMe ? `${name} (${texts.you})` : name}</bdi>
        <Presence userId={member.user_id} />
      </span>
      {role !== "member" && <span className="troupe-role">{texts[role]}</span>}
    </div>
  );
}
