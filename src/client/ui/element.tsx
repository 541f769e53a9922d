/**
 * `/sdk/troupe-chat.js`: `<troupe-chat>`, the kit as one element for pages without a build.
 *
 *   <troupe-chat server="https://chat.example.com" token="…" conversation-id="7"></troupe-chat>
 *
 * Attributes: server (default: where the script came from), token, conversation-id, theme, locale,
 * list ("off": the one conversation alone). Properties: getToken, texts, client (read only).
 */
import { createRoot, type Root } from "react-dom/client";
import type { Client } from "../client.ts";
import { connect } from "../index.ts";
import type { GetToken } from "../tokens.ts";
import { Chat } from "./chat.tsx";
import type { Look } from "./frame.tsx";
import type { Texts } from "./texts.ts";

const THEMES: readonly string[] = ["light", "dark", "system"];

class TroupeChat extends HTMLElement {
  static readonly observedAttributes = [
    "server",
    "token",
    "conversation-id",
    "theme",
    "locale",
    "list",
  ];
  #root: Root | null = null;
  #client: Client | null = null;
  #getToken: GetToken | null = null;
  #texts: Partial<Texts> | undefined;
  #isDue = false;

  /** Instead of `token`, where tokens are renewed: see `connect`. */
  get getToken(): GetToken | null {
    return this.#getToken;
  }
  set getToken(getToken: GetToken | null) {
    this.#getToken = getToken;
    this.#reconnect();
  }

  get texts(): Partial<Texts> | undefined {
    return this.#texts;
  }
  set texts(texts: Partial<Texts> | undefined) {
    this.#texts = texts;
    this.#draw();
  }

  /** The connection, while the element is in the page and has a token. */
  get client(): Client | null {
    return this.#client;
  }

  connectedCallback(): void {
    const shadow = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(
      ":host{display:block;height:100%;min-height:20rem}:host([hidden]){display:none}",
    );
    shadow.adoptedStyleSheets = [sheet];
    this.#root = createRoot(shadow);
    this.#reconnect();
  }

  disconnectedCallback(): void {
    this.#root?.unmount();
    this.#root = null;
    this.#client?.close();
    this.#client = null;
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after) return;
    if (name === "server" || name === "token") this.#reconnect();
    else this.#draw();
  }

  /** Several attributes that change at once are one new connection. */
  #reconnect(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#client?.close();
      this.#client = null;
      const token = this.getAttribute("token");
      if (this.#root !== null && (this.#getToken !== null || token !== null)) {
        const url = this.getAttribute("server") ?? new URL("..", import.meta.url).href;
        this.#client =
          this.#getToken === null
            ? connect({ url, token: token! })
            : connect({ url, getToken: this.#getToken });
      }
      this.#draw();
    });
  }

  #draw(): void {
    if (this.#root === null || this.#client === null) {
      this.#root?.render(null);
      return;
    }
    const theme = this.getAttribute("theme");
    const locale = this.getAttribute("locale");
    const look: Look = {
      ...(theme !== null && THEMES.includes(theme) && { theme: theme as "light" }),
      ...(locale !== null && { locale }),
      ...(this.#texts !== undefined && { texts: this.#texts }),
    };
    this.#root.render(
      <Chat
        {...look}
        client={this.#client}
        conversationId={this.getAttribute("conversation-id")}
        hasList={this.getAttribute("list") !== "off"}
        onSelect={(id) =>
          this.dispatchEvent(new CustomEvent("troupe-select", { detail: id, bubbles: true }))
        }
      />,
    );
  }
}

if (!customElements.get("troupe-chat")) customElements.define("troupe-chat", TroupeChat);
