/** [SRT] Tokens of texts, and where the terms of a question are in a text. */
import { describe, expect, it } from "vitest";
import { askedTokens, match, segmentsOf, termsOf, tokensOf } from "../../src/base/search-text.ts";

const tokens = (text: string) => [...tokensOf(segmentsOf(text))];
const found = (question: string, text: string) => match(termsOf(question), text);
/** Whether the index, asked for a question's tokens, would give a text. */
function isIndexed(question: string, text: string): boolean {
  const { exact, prefix } = askedTokens(termsOf(question));
  const there = tokensOf(segmentsOf(text));
  return (
    exact.every((token) => there.has(token)) &&
    (prefix === null || [...there].some((token) => token.startsWith(prefix)))
  );
}

describe("the text of a message", () => {
  it("[SRT1] is words, pairs of neighbours, and single characters that stand alone", () => {
    expect(tokens("Hello, WORLD! x_1")).toEqual(["hello", "world", "x_1"]);
    expect(tokens("Straße Søren Łódź Ｆｕｌｌ ｗｉｄｔｈ")).toEqual([
      ...["strasse", "soren", "lodz", "full", "width"],
    ]);
    expect(tokens("我们今天 去")).toEqual(["我们", "们今", "今天", "去"]);
    expect(tokens("東京タワー")).toEqual(["東京", "京タ", "タワ", "ワー"]);
    expect(tokens("한국어")).toEqual(["한국", "국어"]);
    expect(tokens("iPhone手机2")).toEqual(["iphone", "手机", "2"]);
    expect(tokens("😀😀 ok")).toEqual(["😀", "ok"]);
    expect(tokens("!? … —")).toEqual([]);
    expect(tokens("é".normalize("NFD"))).toEqual(tokens("É"));
    expect(tokens("한국".normalize("NFD"))).toEqual(["한국"]);
    expect(tokens("ｶﾞﾗｽ")).toEqual(tokens("ガラス"));
  });

  it("[SRT2] fits words in any order, the last one by its beginning", () => {
    expect(found("world hel", "Hello, wide world")).toEqual([
      [0, 3],
      [12, 17],
    ]);
    expect(found("wor hello", "Hello, wide world")).toBeNull();
    expect(found("hello", "othello")).toBeNull();
    expect(found("strasse", "Die Straße 5")).toEqual([[4, 10]]);
    expect(found("Straße", "STRASSE")).toEqual([[0, 7]]);
    expect(found("b", "😀 a b")).toEqual([[4, 5]]);
  });

  it("[SRT2] fits phrases whole, and not what a minus excludes", () => {
    expect(found('"wide world"', "Hello, wide, WORLD")).toEqual([[7, 18]]);
    expect(found('"wide wor"', "wide world")).toBeNull();
    expect(found('"world wide"', "wide world")).toBeNull();
    expect(found("hello -world", "hello world")).toBeNull();
    expect(found("hello -world", "hello worlds")).toEqual([[0, 5]]);
    expect(found('hello -"wide world"', "hello world wide")).toEqual([[0, 5]]);
    expect(found("ann@example.org", "write to ann@example.org!")).toEqual([[9, 24]]);
  });

  it.each([
    ["今天", "我们今天去", 2, 4],
    ["们今天", "我们今天去", 1, 4],
    ["京タ", "東京タワー", 1, 3],
    ["국어", "한국어를", 1, 3],
    ["วัสดี", "สวัสดีครับ", 1, 6],
    ["手机2", "新手机2号", 1, 4],
    ["年度", "2024年度", 4, 6],
    ["2024年", "在2024年度", 1, 6],
    ["新iPhone", "最新iphone", 1, 8],
    ["去", "我们 去 北京", 3, 4],
  ])("[SRT1] %s is a part of %s", (question, text, from, to) => {
    expect(isIndexed(question, text)).toBe(true);
    expect(found(question, text)).toEqual([[from, to]]);
  });

  it("[SRT1] one character is found where it stands alone", () => {
    expect(isIndexed("天", "今天")).toBe(false);
    expect(found("天", "今天")).toBeNull();
    expect(found("天", "天 今天")).toEqual([[0, 1]]);
  });

  it("[SRT2] a word of any length is found", () => {
    const word = "a".repeat(100);
    expect(isIndexed(word, `x ${word}`)).toBe(true);
    expect(isIndexed(word.slice(0, 80), `x ${word}`)).toBe(true);
    expect(found(word.slice(0, 80), word)).toEqual([[0, 80]]);
    expect(found(`${word.slice(0, 80)}b`, word)).toBeNull();
  });
});
