/** The inputs of the capacity model: what a deployment has, and what its users do. Types and defaults. */

export interface Deployment {
  hosts: number;
  /** Cores and bytes of each host. */
  cores: number;
  memoryBytes: number;
  /** Worker processes of each host. */
  workers: number;
  /** 1: a Redis alone; more: the masters of a Redis Cluster. */
  redisMasters: number;
  redisBytes: number;
  postgresCores: number;
  /** What the disk of PostgreSQL holds. */
  postgresBytes: number;
}

/** So many of all messages, as a part of 1, go into conversations of that size. */
export interface GroupShare {
  members: number;
  share: number;
}

export interface Profile {
  /** Users who are connected at once. */
  users: number;
  /** Messages a second of one user. */
  messagesPerS: number;
  groups: readonly GroupShare[];
  /** Conversations of a user, and users whose presence a session watches. */
  conversations: number;
  watched: number;
  /** The part of a conversation's other members, and of the users watched, who are connected. */
  onlineShare: number;
  /** Receipts of each member who is connected, delivered and read, for a message. */
  marksPerReader: number;
  typingPerMessage: number;
  /** Changes of presence, handshakes and changes of members, a second of one user. */
  statusesPerS: number;
  handshakesPerS: number;
  joinsPerS: number;
  logoutsPerDay: number;
  accessTokenTtlS: number;
}

export const DEFAULT_PROFILE: Profile = {
  users: 10_000,
  messagesPerS: 0.01,
  groups: [
    { members: 2, share: 0.6 },
    { members: 10, share: 0.35 },
    { members: 100, share: 0.05 },
  ],
  conversations: 30,
  watched: 100,
  onlineShare: 0.4,
  marksPerReader: 2,
  typingPerMessage: 3,
  statusesPerS: 0.0022,
  handshakesPerS: 0.0005,
  joinsPerS: 1 / 86_400,
  logoutsPerDay: 1,
  accessTokenTtlS: 900,
};

/** A larger group than this is a channel: no receipts, no typing, and only its watchers receive. */
export const GROUP_MEMBERS_MAX = 1_000;
/** The part of a channel's members who have it open. */
export const WATCHING_SHARE = 0.02;

export const GB = 1e9;
