/** The routes of files. Part of ROUTES in routes.ts. */
import Type from "typebox";
import { FileKindName, FileObject } from "./files.ts";
import { ById, Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { Ordinal, Page, Request } from "./schemas.ts";

const FileInMessage = Type.Object({
  ...FileObject.properties,
  seq: Ordinal,
});

export const FILE_ROUTES = {
  uploadFile: {
    group: "Files",
    method: "POST",
    path: "/api/files",
    summary: "Upload a file of at most 10 MiB: the body is its bytes.",
    token: true,
    isBytes: true,
    query: Request({
      name: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 1024,
          description: "The file's name; of a path its last part.",
        }),
      ),
    }),
    answers: { 201: FileObject },
    refusals: ["quota_exceeded"],
  },
  getFile: {
    group: "Files",
    method: "GET",
    path: "/api/files/:id",
    summary: "A file that you may see now, with a fresh address.",
    token: true,
    params: ById,
    answers: { 200: FileObject },
    refusals: ["not_found"],
  },
  deleteFile: {
    group: "Files",
    method: "DELETE",
    path: "/api/files/:id",
    summary: "Delete a file of your own; it goes from every message that shows it.",
    token: true,
    params: ById,
    answers: { 204: null },
    refusals: ["not_found"],
  },
  listFiles: {
    group: "Files",
    method: "GET",
    path: "/api/conversations/:id/files",
    summary: "The files of a conversation's messages, newest first.",
    token: true,
    params: ById,
    query: Request({ kind: Type.Optional(FileKindName), limit: Limit, cursor: PageCursor }),
    answers: { 200: Page(FileInMessage) },
    refusals: ["not_found"],
  },
} as const satisfies Record<string, RouteSpec>;
