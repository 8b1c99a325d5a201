import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { SqliteDatabase } from "kysely";

function bindable(value: unknown): SQLInputValue {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint") {
    return value;
  }
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`SQLite can bind text, numbers, bytes and null; a query carries a ${typeof value}`);
}

/**
 * Opens a SQLite file with Node's own driver, in the shape that Kysely's SqliteDialect drives.
 * `synchronous=FULL` makes a committed write survive a power cut: an acknowledged exchange is never lost.
 * @param file path, or ":memory:"
 */
export function openSqlite(file: string): SqliteDatabase {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec("PRAGMA busy_timeout = 5000");
  database.exec("PRAGMA foreign_keys = ON");
  // What is deleted is overwritten, not left in free pages: erasing a person's data must erase it.
  database.exec("PRAGMA secure_delete = ON");
  return {
    prepare(sql) {
      const statement = database.prepare(sql);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...parameters.map(bindable)),
        run: (parameters) => statement.run(...parameters.map(bindable)),
        iterate: (parameters) => statement.iterate(...parameters.map(bindable)),
      };
    },
    close: () => database.close(),
  };
}
