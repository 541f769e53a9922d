/** What a message sets off, and how much of all is to do in a deployment. Pure. */
import {
  type Deployment,
  GROUP_MEMBERS_MAX,
  type GroupShare,
  type Profile,
  WATCHING_SHARE,
} from "./deployment.ts";

export interface Load {
  users: number;
  usersPerHost: number;
  /** Workers of all hosts, and users of one. */
  workers: number;
  usersPerWorker: number;
  messagesPerS: number;
  /** The part of asks whose actor is on another host. */
  crossing: number;
  message: MessageLoad;
}

/** One message with the receipts and typing that go with it, on average over all conversations. */
export interface MessageLoad {
  /** Calls of clients, each an ask and an answer. */
  calls: number;
  marks: number;
  typing: number;
  /** Deliveries to sockets of messages and receipts, and of typing. */
  deliveries: number;
  typingDeliveries: number;
  /** Messages that Redis brings to other hosts. */
  hostDeliveries: number;
}

/** The other hosts, of `hosts`, on which some of `members` are, who are spread evenly. */
export function hostsHearing(hosts: number, members: number): number {
  return (hosts - 1) * (1 - (1 - 1 / hosts) ** members);
}

export function loadOf(deployment: Deployment, profile: Profile): Load {
  const { hosts } = deployment;
  const workers = hosts * deployment.workers;
  return {
    users: profile.users,
    usersPerHost: profile.users / hosts,
    workers,
    usersPerWorker: profile.users / workers,
    messagesPerS: profile.users * profile.messagesPerS,
    crossing: 1 - 1 / hosts,
    message: messageLoad(hosts, profile),
  };
}

function messageLoad(hosts: number, profile: Profile): MessageLoad {
  const all: MessageLoad = {
    calls: 0,
    marks: 0,
    typing: 0,
    deliveries: 0,
    typingDeliveries: 0,
    hostDeliveries: 0,
  };
  const shares = profile.groups.reduce((sum, { share }) => sum + share, 0);
  for (const group of profile.groups)
    add(all, group.share / shares, inGroup(hosts, profile, group));
  return all;
}

function inGroup(hosts: number, profile: Profile, { members }: GroupShare): MessageLoad {
  const isChannel = members > GROUP_MEMBERS_MAX;
  const receivers = isChannel
    ? members * profile.onlineShare * WATCHING_SHARE
    : (members - 1) * profile.onlineShare;
  const marks = isChannel ? 0 : profile.marksPerReader * receivers;
  const typing = isChannel ? 0 : profile.typingPerMessage;
  const hearing = hostsHearing(hosts, receivers + 1);
  return {
    calls: 1 + marks + typing,
    marks,
    typing,
    deliveries: (1 + marks) * receivers,
    typingDeliveries: typing * receivers,
    hostDeliveries: (1 + marks + typing) * hearing,
  };
}

function add(all: MessageLoad, share: number, one: MessageLoad): void {
  for (const key of Object.keys(all) as (keyof MessageLoad)[]) all[key] += share * one[key];
}
