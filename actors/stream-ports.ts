/** What the actors need of storage for streamed messages. */
import type { AppData } from "../src/protocol/app-data.ts";
import type { ErrorObject } from "../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import type { Message } from "../src/protocol/schemas.ts";
import type { StreamEnd } from "../src/protocol/streams.ts";

export interface StreamWrite {
  /** The length in code points that storage is known to have. */
  from: number;
  /** The whole text. */
  text: string;
  /** Null: a checkpoint. `names` and `all`: whom the text mentions, see MessageChange. */
  end: { state: StreamEnd; data?: AppData; names: string[]; all: boolean } | null;
}

export type StreamWritten =
  | { is: "written"; revised: { message: Message; changed: boolean; newlyMentioned: UserId[] } }
  /** Another activation has written meanwhile. */
  | { is: "moved" }
  /** It is not open any more; null: there is no such message or conversation. */
  | { is: "ended"; message: Message | null };

export interface StreamStore {
  /** One change of the message. */
  write(id: ConversationId, seq: number, write: StreamWrite): Promise<StreamWritten>;
  /** The messages whose streams are open. */
  open(id: ConversationId): Promise<Message[]>;
  find(id: ConversationId, seq: number): Promise<Message | null>;
  /** The threads of that conversation in which streams are open. */
  openThreads(parent: ConversationId): Promise<ConversationId[]>;
}

/** Judges the text of a stream at its checkpoints; see src/edge/moderation/word-rules.ts. */
export interface TextJudge {
  /** Rejects where the rules cannot be read now. */
  judge(
    text: string,
  ): Promise<
    | { is: "refused"; error: ErrorObject }
    | { is: "allowed"; text: string; reports: readonly string[] }
  >;
  reportMessage(ruleIds: readonly string[], message: Message): void;
}
