/**
 * `<TroupeUI>`: what all parts of the kit share: the client, words, locale, theme, and the parts
 * that an application puts in place of the kit's own. Draws one element, which carries the theme.
 */
import {
  type CSSProperties,
  createContext,
  type ReactElement,
  type ReactNode,
  useContext,
  useLayoutEffect,
  useMemo,
  useRef,
} from "react";
import type { Client } from "../client.ts";
import { TroupeProvider } from "../react.ts";
import type { Parts } from "./parts.ts";
import { STYLE } from "./style.ts";
import { TEXTS, type Texts } from "./texts.ts";
import { type Words, wordsOf } from "./words.ts";

export interface Look {
  /** Default: as the system says. */
  theme?: "light" | "dark" | "system";
  /** A BCP 47 tag for times; default: the browser's. */
  locale?: string;
  /** Default: as the locale is written. */
  dir?: "ltr" | "rtl";
  density?: "comfortable" | "compact";
  texts?: Partial<Texts>;
}

export interface TroupeUIProps extends Look {
  client: Client;
  parts?: Partial<Parts>;
  className?: string;
  style?: CSSProperties;
  children?: ReactNode;
}

interface Shared {
  texts: Texts;
  words: Words;
  parts: Partial<Parts>;
}

const SharedContext = createContext<Shared | null>(null);

export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (shared === null) throw new Error("There is no TroupeUI around this component.");
  return shared;
}

const RTL = /^(ar|arc|ckb|dv|fa|he|ks|ku|nqo|ps|sd|syr|ug|ur|yi)\b/i;

/** Whether a BCP 47 tag names a language that is written from right to left. */
export function isRightToLeft(locale: string): boolean {
  return RTL.test(locale);
}

const NO_PARTS: Partial<Parts> = {};

export function TroupeUI(props: TroupeUIProps): ReactElement {
  const { client, theme = "system", locale, texts, density = "comfortable" } = props;
  const parts = props.parts ?? NO_PARTS;
  const root = useRef<HTMLDivElement>(null);
  useStyle(root);
  const shared = useMemo(() => {
    const all: Texts = { ...TEXTS, ...texts };
    return { texts: all, words: wordsOf(locale, all), parts };
  }, [locale, texts, parts]);
  const dir = props.dir ?? (locale !== undefined && isRightToLeft(locale) ? "rtl" : undefined);
  return (
    <TroupeProvider client={client}>
      <SharedContext.Provider value={shared}>
        <div
          ref={root}
          className={`troupe ${props.className ?? ""}`}
          style={props.style}
          data-theme={theme}
          data-density={density}
          lang={locale}
          dir={dir}
        >
          {props.children}
        </div>
      </SharedContext.Provider>
    </TroupeProvider>
  );
}

const styled = new WeakSet<Node>();

/** Once for each document or shadow root; a constructed sheet needs no leave of the page's policy. */
export function adoptStyle(root: Document | ShadowRoot): void {
  if (styled.has(root)) return;
  styled.add(root);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}

function useStyle(of: { current: HTMLElement | null }): void {
  useLayoutEffect(() => {
    adoptStyle((of.current?.getRootNode() ?? document) as Document | ShadowRoot);
  }, [of]);
}
