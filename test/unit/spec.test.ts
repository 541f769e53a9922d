/**
 * [SPC1] Each rule that a comment or a test cites is defined in test/SPEC.md, once.
 * [SPC2] Each rule of test/SPEC.md is cited by a test, but for those in NOT_CITED, which only
 *        becomes shorter.
 *
 * `RENEW_SPEC=1` writes new rules into it, in the words that cite them, and takes out what nothing
 * cites any more; what is defined keeps its words.
 */
import { describe, expect, it } from "vitest";
import { citedRules, definedRules, renewSpec } from "../support/rules.ts";

/** Rules of the code that no test names yet. */
const NOT_CITED = (
  "ACT7 APH3 APH4 APP5 ASK5 BUS3 CHD3 CNV5 CST2 CST3 DRF1 DRF2 DRF3 DSP4 ERA3 EVL1 EXT1 " +
  "EXT2 EXT4 FLK3 FOH1 FSC2 FST2 HIS1 HKP2 HST6 IMP3 IMR1 IMR2 KBK2 LEA2 MEN2 MSC1 MSC2 " +
  "MSC3 MSE2 MSO1 NSP14 NSP15 OUT5 PRB3 PRB4 PRM6 PSH1 PSH2 PSH3 PSH5 PWT1 RGT3 RLY11 RLY2 " +
  "RSV3 SAU1 SAU2 SIX2 STD1 STM6 STP1 STR2 STR3 STR4 STR5 STR6 STR7 USR3 USR4 WHK2 WRD1 " +
  "WRD4 WRD8 XCH4 XCH5 XUS1"
).split(" ");

if (process.env["RENEW_SPEC"] === "1") renewSpec();

describe("the rules of the SPEC", () => {
  const cited = citedRules();
  const defined = definedRules().map(([id]) => id);

  it("[SPC1] each that is cited is defined, once", () => {
    expect(defined.filter((id, n) => defined.indexOf(id) !== n)).toEqual([]);
    const known = new Set(defined);
    const missing = [...cited.keys()].filter((id) => !known.has(id));
    expect(missing, "RENEW_SPEC=1 writes them").toEqual([]);
  });

  it("[SPC2] each is cited by a test", () => {
    const without = defined.filter((id) => cited.get(id)?.isTested !== true);
    expect(without.sort()).toEqual([...NOT_CITED].sort());
  });
});
