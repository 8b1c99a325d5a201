/**
 * The database's own thread: a committed write waits for the disk, for milliseconds, and the thread that hands on the
 * tokens of all replies must not.
 */
import { createNodeOnMessageCallback } from "kysely-generic-sqlite/worker-helper-node";
import { openSqlite } from "./node-sqlite.ts";

export type SqliteWorkerData = {
  /** Path, or ":memory:". */
  file: string;
};

createNodeOnMessageCallback<SqliteWorkerData>(({ file }) => openSqlite(file));
