/**
 * The operator's page's entry: asks for the token, or shows the board. It uses the published
 * HTTP API only, and nothing of the server that another program could not.
 */
import { fetchCall } from "../../client/api.ts";
import type { ErrorObject, Result } from "../../protocol/errors.ts";
import { createBoard } from "./board.ts";
import type { Call } from "./find.ts";
import { createTokenForm, keepToken, storedToken } from "./token.ts";

const root = document.getElementById("ops");
if (!root) throw new Error("index.html has no #ops");

/** This script is one folder below, also under a path prefix behind a proxy. */
const SERVER_URL = new URL("..", import.meta.url).href;

let leave: () => void = () => undefined;

const refusals: Readonly<Partial<Record<ErrorObject["code"], string>>> = {
  unauthorized: "This token is not valid.",
  token_expired: "This token has expired.",
  forbidden: "This token lacks the scope ops.",
};

function refusalText({ code, message }: ErrorObject): string {
  return refusals[code] ?? message;
}

const callWith =
  (token: string): Call =>
  async <T>(method: string, path: string) =>
    // The board names each path together with the type of its answer.
    (await fetchCall(SERVER_URL)(method, path, undefined, token)) as Result<T>;

function askForToken(notice: string | null): void {
  leave();
  leave = () => undefined;
  keepToken(null);
  root?.replaceChildren(
    createTokenForm(notice, async (token) => {
      const answer = await callWith(token)("GET", "/api/ops/summary");
      if (!answer.ok) return refusalText(answer.error);
      keepToken(token);
      showBoard(token);
      return null;
    }),
  );
}

function showBoard(token: string): void {
  const board = createBoard(callWith(token), {
    refused: (error) => askForToken(refusalText(error)),
    leave: () => askForToken(null),
  });
  leave = board.stop;
  root?.replaceChildren(board.node);
}

const token = storedToken();
if (token === null) askForToken(null);
else showBoard(token);
