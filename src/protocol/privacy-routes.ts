/** The routes of one's own privacy. Part of ROUTES in routes.ts. */
import { Privacy, PrivacyPatch } from "./privacy.ts";
import type { RouteSpec } from "./route-spec.ts";

export const PRIVACY_ROUTES = {
  getPrivacy: {
    group: "Accounts and tokens",
    method: "GET",
    path: "/api/me/privacy",
    summary: "What one lets others see, and from whom one takes messages and additions.",
    token: true,
    answers: { 200: Privacy },
    refusals: [],
  },
  updatePrivacy: {
    group: "Accounts and tokens",
    method: "PATCH",
    path: "/api/me/privacy",
    summary: "Change what is named of it.",
    token: true,
    body: PrivacyPatch,
    answers: { 200: Privacy },
    refusals: [],
  },
} as const satisfies Record<string, RouteSpec>;
