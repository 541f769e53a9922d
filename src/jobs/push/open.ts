/** What a worker needs of pushes: the job, what the HTTP API asks, and the senders behind both. */
import type { Registry } from "prom-client";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { PushConfig } from "../../config/push-keys.ts";
import type { Addresses } from "../../outbound/addresses.ts";
import { createPushSender } from "../../outbound/push/senders.ts";
import type { Post } from "../../outbound/request.ts";
import { createVapidKeys } from "../../outbound/vapid.ts";
import type { DeviceStore, PushQueue } from "../../ports/push.ts";
import { PUSH_JOB, pushJobs } from "./push.ts";
import type { PusherOptions } from "./pusher.ts";

interface PushParts {
  config: PushConfig & { hookSecret: string | null; basePath: string };
  storage: { devices: DeviceStore; pushes: PushQueue };
  exchange: { gateway: PusherOptions["gateway"] };
  metrics: { registry: Registry };
  outbound: { post: Post };
  addresses: Addresses;
  clock: Clock;
  log: Log;
}

export function openPushes({
  config,
  storage,
  exchange: { gateway },
  metrics: { registry },
  outbound: { post },
  addresses,
  clock,
  log,
}: PushParts) {
  const { devices, pushes: queue } = storage;
  const keys = createVapidKeys(config.vapidKeys, devices);
  const sender = createPushSender({ config, post, keys, clock });
  return {
    asked: {
      devices,
      job: PUSH_JOB,
      problemOf: (endpoint: string) => addresses.problemOf(endpoint, "device"),
      publicKey: async () => (await keys()).publicKey,
    },
    /** Once a host: it adds metrics. */
    handlers: () =>
      pushJobs({
        queue,
        sender,
        gateway,
        content: config.pushContent,
        basePath: config.basePath,
        registry,
        clock,
        log,
      }),
    close: () => sender.close(),
  };
}
