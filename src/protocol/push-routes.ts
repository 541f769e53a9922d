/** The routes of push messages. Part of ROUTES in routes.ts. */
import {
  DECISIONS_KEPT,
  Device,
  DeviceAsked,
  DeviceId,
  Devices,
  PushDecisions,
  PushKey,
  PushPatch,
  PushSettings,
} from "./push.ts";
import { ById, type RouteSpec } from "./route-spec.ts";
import { Request } from "./schemas.ts";

const ByDevice = Request({ device_id: DeviceId });

export const PUSH_ROUTES = {
  getPushKey: {
    group: "Notifications and presence",
    method: "GET",
    path: "/api/push/key",
    summary: "The key with which a browser subscribes to pushes of this server.",
    token: true,
    answers: { 200: PushKey },
    refusals: [],
  },
  putDevice: {
    group: "Notifications and presence",
    method: "PUT",
    path: "/api/me/devices/:device_id",
    summary:
      "Register a device for pushes, or change it: a `subscription` for `webpush`, else a `token`." +
      " It belongs to the login of this call, and ends with it; one that another user had moves here.",
    token: true,
    params: ByDevice,
    body: DeviceAsked,
    answers: { 200: Device },
    refusals: ["conflict"],
  },
  listDevices: {
    group: "Notifications and presence",
    method: "GET",
    path: "/api/me/devices",
    summary: "One's own devices, the oldest first.",
    token: true,
    answers: { 200: Devices },
    refusals: [],
  },
  deleteDevice: {
    group: "Notifications and presence",
    method: "DELETE",
    path: "/api/me/devices/:device_id",
    summary: "Remove a device: nothing is pushed to it any more.",
    token: true,
    params: ByDevice,
    answers: { 204: null },
    refusals: ["not_found"],
  },
  getPush: {
    group: "Notifications and presence",
    method: "GET",
    path: "/api/me/push",
    summary: "What is pushed, when, and what a push says.",
    token: true,
    answers: { 200: PushSettings },
    refusals: [],
  },
  updatePush: {
    group: "Notifications and presence",
    method: "PATCH",
    path: "/api/me/push",
    summary: "Change what is named of it.",
    token: true,
    body: PushPatch,
    answers: { 200: PushSettings },
    refusals: [],
  },
  listPushes: {
    group: "Notifications and presence",
    method: "GET",
    path: "/api/me/pushes",
    summary: `The last ${DECISIONS_KEPT} decisions about pushes to oneself, newest first, each with its reason.`,
    token: true,
    answers: { 200: PushDecisions },
    refusals: [],
  },
  opsUserPushes: {
    group: "Operations",
    method: "GET",
    path: "/api/ops/users/:id/pushes",
    summary: `The last ${DECISIONS_KEPT} decisions about pushes to a user, newest first.`,
    token: true,
    scope: "ops",
    params: ById,
    answers: { 200: PushDecisions },
    refusals: ["not_found"],
  },
} as const satisfies Record<string, RouteSpec>;
