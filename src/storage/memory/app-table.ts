/** An application's own actor as the memory twin holds it; see tables.ts. */
import type { AppCallMade, AppCreated } from "../../../actors/app-ports.ts";
import type { AppEffect, AppEvent } from "../../protocol/app-actors.ts";

export interface StoredApp {
  kind: string;
  key: string;
  id: string;
  version: number;
  rev: number;
  state: string | null;
  isGone: boolean;
  codeVersion: number;
  created: AppCreated;
  createdAt: string;
  nowMs: number;
  timers: { name: string; atMs: number }[];
  wakeAtMs: number | null;
  watching: string[];
  effectCount: number;
  effects: { n: number; effect: AppEffect }[];
  events: AppEvent[];
  calls: AppCallMade[];
}
