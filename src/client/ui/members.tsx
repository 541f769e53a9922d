/**
 * The members of a conversation with their roles and presence, the highest role first; and for those
 * who may, the group's name, a field that adds people, and the way out.
 */
import { type ReactElement, useEffect, useMemo } from "react";
import { Virtualizer } from "virtua";
import { rankOf, roleIn } from "../../protocol/permissions.ts";
import type { Member } from "../../protocol/schemas.ts";
import { attempt } from "../attached.ts";
import type { Client } from "../client.ts";
import { loadMembers } from "../members.ts";
import { useConversation, useMe, useTroupe } from "../react.ts";
import type { ConversationView } from "../views.ts";
import { PersonAvatar, Presence, useName } from "./avatar.tsx";
import { ChannelMembers, isChannel } from "./channel.tsx";
import { useShared } from "./frame.tsx";
import { AddMember, LeaveGroup, RenameGroup } from "./group.tsx";
import { useMay } from "./may.ts";
import { Panel } from "./panel.tsx";
import type { MemberProps } from "./parts.ts";
import { MenuItem, Popup } from "./popup.tsx";

export interface MembersProps {
  conversationId: string;
  onClose?: () => void;
}

export function Members({ conversationId, onClose }: MembersProps): ReactElement {
  const { texts } = useShared();
  const view = useConversation(conversationId);
  return (
    <Panel title={texts.membersTitle} onClose={onClose}>
      {view !== null && (isChannel(view) ? <OfChannel view={view} /> : <Listed view={view} />)}
    </Panel>
  );
}

function Listed({ view }: { view: ConversationView }): ReactElement {
  const client = useTroupe();
  const { parts } = useShared();
  const may = useMay(view);
  const { conversation, id } = view;
  const isPartial = conversation.members_partial === true;
  useEffect(() => {
    // After a gap some are missing again.
    if (isPartial) void attempt(loadMembers(client, id));
  }, [client, id, isPartial]);
  const members = useMemo(() => {
    const ranked = conversation.members.map((member) => ({
      member,
      role: roleIn(conversation, member),
    }));
    return ranked.sort((a, b) => rankOf(b.role) - rankOf(a.role));
  }, [conversation]);
  const Part = parts.Member ?? OwnMember;
  return (
    <>
      {may.editInfo && <RenameGroup key={conversation.title} view={view} />}
      {may.addMembers && <AddMember conversationId={id} />}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard */}
      <div className="troupe-members" tabIndex={0} aria-busy={isPartial || undefined}>
        <Virtualizer as="ul" item="li">
          {members.map(({ member, role }) => (
            <Part
              key={member.user_id}
              member={member}
              role={role}
              {...(may.removeMember(member.user_id) && {
                onRemove: () => void attempt(removal(client, id, member.user_id)),
              })}
            />
          ))}
        </Virtualizer>
      </div>
      {conversation.kind !== "direct" && <LeaveGroup conversationId={id} />}
    </>
  );
}

/** The members of a channel may be a million: moderators look through them, others see themselves. */
function OfChannel({ view }: { view: ConversationView }): ReactElement {
  const client = useTroupe();
  const { parts } = useShared();
  const may = useMay(view);
  const { conversation, id } = view;
  const Part = parts.Member ?? OwnMember;
  const row = (member: Member): ReactElement => (
    <Part
      member={member}
      role={roleIn(conversation, member)}
      {...(may.removeMember(member.user_id) && {
        onRemove: () => void attempt(removal(client, id, member.user_id)),
      })}
    />
  );
  return (
    <>
      {may.editInfo && <RenameGroup key={conversation.title} view={view} />}
      {may.addMembers && <AddMember conversationId={id} />}
      {may.listMembers ? (
        <ChannelMembers channelId={id} row={row} />
      ) : (
        <ul className="troupe-members">
          {conversation.members.map((member) => (
            <li key={member.user_id}>{row(member)}</li>
          ))}
        </ul>
      )}
      {view.isMember && <LeaveGroup conversationId={id} isChannel />}
    </>
  );
}

const removal = (client: Client, id: string, user_id: string) =>
  client.api("DELETE /api/conversations/:id/members/:user_id", { id, user_id });

function OwnMember({ member, role, onRemove }: MemberProps): ReactElement {
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
      {onRemove && !isMe && (
        <Popup icon="more" label={texts.optionsOf(name)} className="troupe-tool" isMenu>
          {(close) => (
            <MenuItem
              icon="remove"
              isDangerous
              onClick={() => {
                close();
                onRemove();
              }}
            >
              {texts.removeMember}
            </MenuItem>
          )}
        </Popup>
      )}
    </div>
  );
}
