/** The texts of the reference page beside its tables: how to begin, and the bounds. */
import { PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX } from "../../../protocol/route-spec.ts";
import { MEMBERS_MAX } from "../../../protocol/routes.ts";
import {
  NOTIFICATION_DATA_BYTES_MAX,
  NOTIFICATION_DATA_DEPTH_MAX,
} from "../../../protocol/social-routes.ts";
import { BODY_MAX, NOTICE_MAX, TITLE_MAX } from "../../../protocol/text.ts";
import { BODY_BYTES_MAX } from "./body.ts";
import { colouredExample } from "./docs-html.ts";

const HTTP_CALL = `curl -s http://localhost:3000/api/posts \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{"body": "Hello!"}'`;

const SOCKET = `import { io } from "socket.io-client";

const socket = io("http://localhost:3000", { auth: { token } });

socket.on("notification", (notification) => console.log(notification.message));
socket.on("connect", async () => {
  const answer = await socket.emitWithAck("watch_posts", { post_ids: ["42"] });
  if (!answer.ok) console.error(answer.error.code, answer.error.message);
});`;

export const INTRODUCTION = `<h1>Troupe API reference</h1>
<p class="lead">JSON over HTTP, and live events over Socket.IO. Any HTTP client and any Socket.IO
v4 client can be written from this page.</p>
<p>Keys are <code>snake_case</code>. Ids are decimal strings, times ISO 8601 in UTC with
milliseconds. Unknown keys in a request are refused; ignore unknown keys in what you receive.
Lists are pages: ask again with <code>cursor</code> set to <code>next_cursor</code> until that is
<code>null</code>.</p>
<h2 class="minor" id="over-http">HTTP</h2>
<pre tabindex="0">${colouredExample(HTTP_CALL)}</pre>
<h2 class="minor" id="over-socket-io">Socket.IO</h2>
<pre tabindex="0">${colouredExample(SOCKET)}</pre>
<p class="quiet">Path <code>/socket.io</code>, namespace <code>/</code>, WebSocket first. The first
event is <code>ready</code>; after every reconnect, call <code>sync</code>.</p>`;

const number = (value: number) => value.toLocaleString("en-US");
const kibibytes = (bytes: number) => `${bytes / 1024} KiB`;

/** What, how much, and what happens past it. */
export const LIMITS: readonly [string, string, string][] = [
  [
    "`body` of a message, post or comment",
    `1–${number(BODY_MAX)} code points`,
    "Not all white space.",
  ],
  ["`title`, `display_name`", `1–${TITLE_MAX} code points`, ""],
  ["`message` of a notification", `1–${NOTICE_MAX} code points`, ""],
  [
    "`data` of a notification",
    `${kibibytes(NOTIFICATION_DATA_BYTES_MAX)} as JSON, ${NOTIFICATION_DATA_DEPTH_MAX} deep`,
    "",
  ],
  ["text", "well-formed Unicode", "No control characters but tab and newline; stored as sent."],
  ["`limit` of a page", `1–${PAGE_LIMIT_MAX}`, `${PAGE_LIMIT_DEFAULT} where it is not set.`],
  ["members of a group", number(MEMBERS_MAX), ""],
  ["HTTP body", kibibytes(BODY_BYTES_MAX), "Past it: `payload_too_large`."],
  ["socket frame", kibibytes(BODY_BYTES_MAX), "Past it the connection is closed."],
  ["`like_update`, `comment_update`", "10 a second for a post", "The last value always comes."],
  [
    "calls and events",
    "far above what a person's clients need",
    "Past it: `rate_limited`, with `retry_after_ms` and the header `Retry-After`; a socket that goes on is closed.",
  ],
];
