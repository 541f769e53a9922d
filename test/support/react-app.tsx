/**
 * A small application on every hook of `troupe-client/react`, bundled and opened by
 * test/browser/react.test.ts: a talk, who is there, a post's likes, notifications. Its address
 * says for whom and where (`#url=…&token=…`); parts of it come and go with their buttons.
 */
import { type ReactElement, type ReactNode, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { connect, progressOf } from "../../src/client/index.ts";
import { typingOf } from "../../src/client/presence.ts";
import {
  TroupeProvider,
  useConnection,
  useConversation,
  useConversations,
  useNotifications,
  usePostCounts,
  usePresence,
  useTroupe,
} from "../../src/client/react.ts";

const given = new URLSearchParams(location.hash.slice(1));
const asked = (name: string): string => given.get(name) ?? "";

function Talk({ id }: { id: string }): ReactElement {
  const client = useTroupe();
  const talk = useConversation(id);
  const [text, setText] = useState("");
  if (talk === null) return <p>No talk yet.</p>;
  return (
    <section>
      <ol id="messages">
        {talk.messages.map((one) => (
          <li key={one.client_id} data-progress={progressOf(talk, one)}>
            {one.body}
          </li>
        ))}
        {talk.outgoing.map((one) => (
          <li key={one.clientId} data-progress="sending">
            {one.body}
          </li>
        ))}
      </ol>
      <p id="typing">{talk.typing.join(",")}</p>
      <input
        id="text"
        aria-label="Message"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          typingOf(client).touch(id);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          client.send(id, text);
          setText("");
        }}
      />
      <button type="button" id="read" onClick={() => client.markRead(id)}>
        Read
      </button>
    </section>
  );
}

function Status({ of }: { of: string }): ReactElement {
  return <p className="status">{usePresence(of)?.status ?? "unknown"}</p>;
}

function Likes({ of }: { of: string }): ReactElement {
  return <p id="likes">{usePostCounts(of)?.like_count ?? "unknown"}</p>;
}

function Notices(): ReactElement {
  const { items, unread } = useNotifications();
  return (
    <ul id="notices" data-unread={unread}>
      {items.map((one) => (
        <li key={one.id}>{one.message}</li>
      ))}
    </ul>
  );
}

/** A part of the page that a button takes away and brings back. */
function Part(props: { name: string; isThere?: boolean; children: ReactNode }): ReactElement {
  const [isThere, setIsThere] = useState(props.isThere ?? true);
  return (
    <div id={props.name}>
      <button type="button" className="turn" onClick={() => setIsThere(!isThere)}>
        {props.name}
      </button>
      {isThere && props.children}
    </div>
  );
}

function Head(): ReactElement {
  const connection = useConnection();
  const unread = useConversations().map((one) => one.unread);
  return (
    <h1 id="head" data-link={connection.is}>
      {unread.join(",")}
    </h1>
  );
}

const client = connect({ url: asked("url"), token: asked("token") });
const root = createRoot(document.querySelector("main")!);
root.render(
  <StrictMode>
    <TroupeProvider client={client}>
      <Head />
      <Part name="talk">
        <Talk id={asked("talk")} />
      </Part>
      <Part name="first">
        <Status of={asked("watched")} />
      </Part>
      <Part name="second">
        <Status of={asked("watched")} />
      </Part>
      <Part name="post">
        <Likes of={asked("post")} />
      </Part>
      <Part name="bell" isThere={false}>
        <Notices />
      </Part>
    </TroupeProvider>
    <button type="button" id="unmount" onClick={() => root.unmount()}>
      Unmount
    </button>
  </StrictMode>,
);
