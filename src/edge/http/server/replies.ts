/**
 * How answers leave: JSON with its content type, the one error shape with its headers, CORS
 * headers where an origin asks. Everything that the HTTP side says goes through here.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { ERROR_STATUS, type ErrorObject } from "../../../protocol/errors.ts";
import { JsonText } from "../../../protocol/json-text.ts";
import type { Cors } from "./cors.ts";

export const JSON_TYPE = "application/json; charset=utf-8";

export interface Replies {
  send(request: FastifyRequest, reply: FastifyReply, status: number, body: unknown): void;
  sendText(request: FastifyRequest, reply: FastifyReply, type: string, text: string): void;
  refuse(request: FastifyRequest, reply: FastifyReply, error: ErrorObject): void;
}

/**
 * `count` is called for every answer, with the route's path and the status; `onRefused` for every
 * refusal. `links` writes the addresses of files.
 */
export function createReplies(
  cors: Cors,
  count: (route: string, status: number) => void,
  onRefused: (request: FastifyRequest, error: ErrorObject) => void,
  links: { in(text: string): string },
): Replies {
  function send(request: FastifyRequest, reply: FastifyReply, status: number, body: unknown): void {
    count(request.routeOptions.url ?? "unknown", status);
    cors(request, reply);
    reply.code(status);
    if (body === null) {
      reply.send();
      return;
    }
    reply.header("content-type", JSON_TYPE);
    reply.send(links.in(body instanceof JsonText ? body.text : JSON.stringify(body)));
  }

  return {
    send,
    sendText(request, reply, type, text) {
      count(request.routeOptions.url ?? "unknown", 200);
      cors(request, reply);
      reply.code(200).header("content-type", type).send(text);
    },
    refuse(request, reply, error) {
      onRefused(request, error);
      const status = ERROR_STATUS[error.code];
      if (status === 401) reply.header("www-authenticate", "Bearer");
      if (error.retry_after_ms !== undefined) {
        reply.header("retry-after", String(Math.max(1, Math.ceil(error.retry_after_ms / 1000))));
      }
      send(request, reply, status, { error });
    },
  };
}
