/** The whole files of the memory adapters, as storage knows them. */
import type { FileObject } from "../../protocol/files.ts";

export class FilesTable {
  readonly #files = new Map<string, { owner: string; shown: FileObject }>();

  put(owner: string, shown: FileObject): void {
    this.#files.set(shown.id, { owner, shown });
  }

  remove(id: string): void {
    this.#files.delete(id);
  }

  /** Null: there is none. */
  ownerOf(id: string): string | null {
    return this.#files.get(id)?.owner ?? null;
  }

  shown(id: string): FileObject | null {
    const file = this.#files.get(id);
    return file === undefined ? null : { ...file.shown };
  }

  all(ids: readonly string[]): FileObject[] {
    return ids.flatMap((id) => this.shown(id) ?? []);
  }
}
