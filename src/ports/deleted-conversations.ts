/** Rows that deleted conversations have left. Types only. */

export interface DeletedConversations {
  /** Deletes up to `most` rows that are left of a deleted conversation; false: none were. */
  forget(id: string, most: number): Promise<boolean>;
}
