/** The contract in machine form and as a page, made once at start from the tables it checks by. */
import { withActorMessages, withActorPaths } from "../../../protocol/app-actor-documents.ts";
import type { AppKind } from "../../../protocol/app-actors.ts";
import { asyncApiDocument } from "../../../protocol/asyncapi.ts";
import { openApiDocument } from "../../../protocol/openapi.ts";
import { docsPage } from "./docs.ts";
import { API_REFERENCE, addressOf } from "./docs-frame.ts";
import { DOCS_STYLE } from "./docs-style.ts";

export interface Document {
  path: string;
  type: string;
  text: string;
  /** Whether pages of other origins may read it. */
  isShared: boolean;
}

/** `kinds`: the application's own actors. */
export function contractDocuments(kinds: readonly AppKind[]): Document[] {
  const json = (path: string, document: object): Document => ({
    path,
    type: "application/json; charset=utf-8",
    text: JSON.stringify(document),
    isShared: true,
  });
  return [
    json("/api/openapi.json", withActorPaths(openApiDocument(), kinds)),
    json("/api/asyncapi.json", withActorMessages(asyncApiDocument(), kinds)),
    {
      path: addressOf(API_REFERENCE),
      type: "text/html; charset=utf-8",
      text: docsPage(),
      isShared: false,
    },
    { path: "/docs.css", type: "text/css; charset=utf-8", text: DOCS_STYLE, isShared: false },
  ];
}
