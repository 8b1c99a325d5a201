import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { openStore, type Store } from "../store/index.ts";
import { describeJobQueue } from "./conformance.ts";
import { createSqliteBackend } from "./sqlite-backend.ts";
import { createSqliteJobQueue } from "./sqlite-queue.ts";

// Other processes are started here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const quick = { pollMs: 20, retryDelayMs: () => 10 };
const fileOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));

describeJobQueue("SQLite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rejoinder-jobs-"));
  const file = join(folder, "rejoinder.sqlite");
  const opened: { close(): Promise<void> }[] = [];
  const stores: Store[] = [];
  async function openDb() {
    const store = await openStore(file);
    stores.push(store);
    return store.db;
  }
  return {
    async open(options) {
      const queue = createSqliteJobQueue({ db: await openDb(), ...quick, ...options });
      opened.push(queue);
      return queue;
    },
    async openBackend(lockMs) {
      const backend = createSqliteBackend({ db: await openDb(), lockMs });
      opened.push(backend);
      return backend;
    },
    module: () => `
      const { openStore } = await import(${JSON.stringify(fileOf("../store/index.ts"))});
      const { createSqliteJobQueue } = await import(${JSON.stringify(fileOf("./sqlite-queue.ts"))});
      const { db } = await openStore(${JSON.stringify(file)});
      const queue = createSqliteJobQueue({ db, lockMs: 1500 });`,
    async dispose() {
      for (const queue of opened) await queue.close();
      for (const store of stores) await store.close();
      rmSync(folder, { recursive: true });
    },
  };
});
