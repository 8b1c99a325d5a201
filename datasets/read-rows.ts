import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { parse } from "csv-parse/sync";
import type { ZodType } from "zod";

/**
 * A row that does not look as its set promises.
 * `row` counts data rows from 1 (for CSV the header is not counted).
 */
export class RowError extends Error {
  readonly path: string;
  readonly row: number;

  constructor(path: string, row: number, problem: string) {
    super(`${path}, row ${row}: ${problem}`);
    this.name = "RowError";
    this.path = path;
    this.row = row;
  }
}

/** The whole file as text: `path` itself or, where that is missing, its gzipped form `path.gz`. */
function readText(path: string): string {
  const found = existsSync(path) || !existsSync(`${path}.gz`) ? path : `${path}.gz`;
  const bytes = readFileSync(found);
  return (found.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** Parses `value` or fails with the file, the row and the column that is wrong. */
export function validateRow<T>(path: string, row: number, schema: ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.length ? `column "${issue.path.join(".")}"` : "the row";
  throw new RowError(path, row, `${where} is wrong: ${issue?.message ?? "unknown problem"}`);
}

/**
 * Rows of a CSV file with a header line, each checked against `schema`.
 * @throws RowError naming file and row where a row is malformed or fails the schema.
 */
export function readCsv<T>(path: string, schema: ZodType<T>): T[] {
  return readDelimited(path, schema, { delimiter: ",", quote: '"' });
}

/** As `readCsv` for tab-separated files; unless `quoted`, quotation marks in them are ordinary characters. */
export function readTsv<T>(path: string, schema: ZodType<T>, { quoted = false } = {}): T[] {
  return readDelimited(path, schema, {
    delimiter: "\t",
    quote: quoted ? '"' : null,
  });
}

function readDelimited<T>(path: string, schema: ZodType<T>, dialect: { delimiter: string; quote: string | null }): T[] {
  let rows: unknown[];
  try {
    rows = parse(readText(path), {
      ...dialect,
      columns: true,
      bom: true,
      skip_empty_lines: true,
    });
  } catch (cause) {
    if (cause instanceof Error && "records" in cause) {
      throw new RowError(path, Number(cause.records) + 1, cause.message);
    }
    throw cause;
  }
  if (rows.length === 0) throw new RowError(path, 1, "expected at least one row, the file has none");
  return rows.map((row, index) => validateRow(path, index + 1, schema, row));
}

/**
 * Objects of a JSON Lines file, each checked against `schema`.
 * @throws RowError naming file and row.
 */
export function readJsonLines<T>(path: string, schema: ZodType<T>): T[] {
  const rows: T[] = [];
  let row = 0;
  for (const line of readText(path).split("\n")) {
    if (line.trim() === "") continue;
    row++;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw new RowError(path, row, `expected one JSON object: ${String(cause)}`);
    }
    rows.push(validateRow(path, row, schema, value));
  }
  if (row === 0) throw new RowError(path, 1, "expected at least one row, the file has none");
  return rows;
}

/** Elements of a file that holds one JSON array, each checked against `schema`. */
export function readJsonArray<T>(path: string, schema: ZodType<T>): T[] {
  const value: unknown = JSON.parse(readText(path));
  if (!Array.isArray(value)) throw new RowError(path, 1, `expected a JSON array, got ${typeof value}`);
  return value.map((element, index) => validateRow(path, index + 1, schema, element));
}
