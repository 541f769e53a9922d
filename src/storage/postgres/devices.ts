/**
 * DeviceStore on PostgreSQL. The triggers that feed pushes are made with the first device and
 * dropped by the job of pushes after the last one has gone (sql/functions/push_triggers.sql), so
 * that messages of a deployment without devices pay nothing.
 */
import { createHash } from "node:crypto";
import type { VapidKeys } from "../../config/push-keys.ts";
import type { DeviceAddress, DeviceStore } from "../../ports/push.ts";
import type { FamilyId, UserId } from "../../protocol/ids.ts";
import {
  DECISIONS_KEPT,
  DEVICES_MAX,
  type Device,
  type DeviceAsked,
  type PushContent,
  type PushDecision,
  type PushPatch,
  type PushSettings,
} from "../../protocol/push.ts";
import { StorageFault } from "./fault.ts";
import type { Database } from "./pool.ts";

const DEVICE = `json_build_object('device_id', d.device_id, 'provider', d.provider,
  'locale', d.locale, 'tz', d.tz, 'created_at', iso_time(d.created_at),
  'updated_at', iso_time(d.updated_at))`;
const PUT = {
  text: `SELECT p.outcome, ${DEVICE} AS device
    FROM put_device($1, $2, $3, $4, $5, ${DEVICES_MAX}) p CROSS JOIN LATERAL (SELECT (p.device).*) d`,
};
const LIST = {
  text: `SELECT ${DEVICE} AS device FROM push_devices d WHERE d.user_id = $1 ORDER BY d.id`,
};
const REMOVE = {
  text: `DELETE FROM push_devices d WHERE d.user_id = $1 AND d.device_id = $2 RETURNING d.id`,
};
const SETTINGS = { text: "SELECT change_push_settings($1, $2, $3) AS settings" };
const DECISIONS = {
  text: `SELECT u.id, (
      SELECT json_agg(json_build_object('at', iso_time(x.at), 'kind', x.kind,
        'conversation_id', x.conversation_id::text, 'seq', x.seq,
        'notification_id', x.notification_id::text, 'device_id', x.device_id,
        'reason', x.reason, 'detail', x.detail) ORDER BY x.id DESC)
      FROM (
        SELECT p.* FROM push_decisions p WHERE p.user_id = u.id
        ORDER BY p.id DESC LIMIT ${DECISIONS_KEPT}
      ) x
    ) AS items
    FROM users u WHERE u.id = $1`,
};
const KEYS = { text: "SELECT k.public, k.private FROM push_keys k" };
const KEEP_KEYS = {
  text: "INSERT INTO push_keys (public, private) VALUES ($1, $2) ON CONFLICT DO NOTHING",
};
const TRIGGERS = { text: "SELECT t.trigger_name FROM push_triggers() t" };
const MISSING_TRIGGERS = {
  text: `SELECT t.trigger_name FROM push_triggers() t WHERE NOT EXISTS (
      SELECT 1 FROM pg_trigger g WHERE g.tgrelid = t.table_name::regclass AND g.tgname = t.trigger_name)`,
};
const SET_TRIGGER = { text: "SELECT set_push_trigger($1, $2) AS is_changed" };
/** Somebody else's long statement may hold a table. */
const TRIGGER_TRIES = 5;

export class PostgresDevices implements DeviceStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async vapidKeys(make: () => VapidKeys): Promise<VapidKeys> {
    for (;;) {
      const [row] = await this.#database.read<{ public: string; private: string }>(KEYS, []);
      if (row !== undefined) return { publicKey: row.public, privateKey: row.private };
      const { publicKey, privateKey } = make();
      await this.#database.read(KEEP_KEYS, [publicKey, privateKey]);
    }
  }

  async put(
    user: UserId,
    id: string,
    family: FamilyId | null,
    device: DeviceAddress & Pick<DeviceAsked, "locale" | "tz">,
  ): Promise<Device | "too_many" | "ended"> {
    const hash = createHash("sha256").update(`${device.provider}\n${device.address}`).digest("hex");
    const values = [user, id, family, JSON.stringify(device), hash];
    const [row] = await this.#database.read<{
      outcome: "ok" | "too_many" | "ended";
      device: Device;
    }>(PUT, values);
    if (row!.outcome !== "ok") return row!.outcome;
    await startFeed(this.#database);
    return row!.device;
  }

  async list(user: UserId): Promise<Device[]> {
    const rows = await this.#database.read<{ device: Device }>(LIST, [user]);
    return rows.map(({ device }) => device);
  }

  async remove(user: UserId, id: string): Promise<boolean> {
    return (await this.#database.write<{ id: string }>(REMOVE, [user, id])).length > 0;
  }

  async settings(
    user: UserId,
    patch: PushPatch | null,
    content: PushContent,
  ): Promise<PushSettings> {
    const values = [user, patch === null ? null : JSON.stringify(patch), content];
    const [row] = await this.#database.read<{ settings: PushSettings }>(SETTINGS, values);
    return row!.settings;
  }

  async decisions(user: UserId): Promise<PushDecision[] | null> {
    const [row] = await this.#database.read<{ items: PushDecision[] | null }>(DECISIONS, [user]);
    return row === undefined ? null : (row.items ?? []);
  }
}

/** Makes the triggers that are missing. */
export async function startFeed(database: Database): Promise<void> {
  const missing = await database.read<{ trigger_name: string }>(MISSING_TRIGGERS, []);
  for (const { trigger_name } of missing) await setTrigger(database, trigger_name, true);
}

const FORGET_WAITING = {
  text: `WITH fed AS (DELETE FROM push_feed f WHERE NOT EXISTS (SELECT 1 FROM push_devices))
    DELETE FROM push_pending p WHERE NOT EXISTS (SELECT 1 FROM push_devices)`,
};

/** Drops the triggers, unless there is a device again; what waits for a decision is none of anybody's. */
export async function endFeed(database: Database): Promise<void> {
  const names = await database.read<{ trigger_name: string }>(TRIGGERS, []);
  for (const { trigger_name } of names) await setTrigger(database, trigger_name, false);
  await database.write(FORGET_WAITING, []);
}

async function setTrigger(database: Database, name: string, isOn: boolean): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await database.write(SET_TRIGGER, [name, isOn]);
      return;
    } catch (error) {
      const isHeld = error instanceof StorageFault && error.reason === "locked";
      if (!isHeld || tries === TRIGGER_TRIES) throw error;
    }
  }
}
