import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { IGenericSqlite } from "kysely-generic-sqlite";

function bindable(value: unknown): SQLInputValue {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint") {
    return value;
  }
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`SQLite can bind text, numbers, bytes and null; a query carries a ${typeof value}`);
}

/**
 * Opens a SQLite file with Node's own driver, in the shape that Kysely's dialect drives.
 * `synchronous=FULL` makes a committed write survive a power cut: an acknowledged exchange is never lost.
 * @param file path, or ":memory:"
 */
export function openSqlite(file: string): IGenericSqlite<DatabaseSync> {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA synchronous = FULL");
  db.exec("PRAGMA busy_timeout = 5000");
  db.exec("PRAGMA foreign_keys = ON");
  // What is deleted is overwritten, not left in free pages: erasing a person's data must erase it.
  db.exec("PRAGMA secure_delete = ON");
  return {
    db,
    query(_, sql, parameters) {
      const statement = db.prepare(sql);
      const values = parameters.map(bindable);
      if (statement.columns().length > 0) return { rows: statement.all(...values) };
      const { changes, lastInsertRowid } = statement.run(...values);
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    },
    iterator: (_, sql, parameters) => db.prepare(sql).iterate(...parameters.map(bindable)),
    close: () => db.close(),
  };
}
