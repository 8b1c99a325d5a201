import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { RowError, readCsv, readJsonArray, readJsonLines, readTsv } from "./read-rows.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "read-rows-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const row = z.object({ text: z.string(), label: z.enum(["0", "1"]) });

describe("readCsv", () => {
  it("reads quoted commas, doubled quotes, line breaks, a byte order mark and Windows line ends", () => {
    const path = file("a.csv", '\ufefftext,label\r\n"one, ""two""\nthree",1\r\nfour,0\r\n');
    expect(readCsv(path, row)).toEqual([
      { text: 'one, "two"\nthree', label: "1" },
      { text: "four", label: "0" },
    ]);
  });

  it("names file, row and column of a value that the set does not have", () => {
    const path = file("a.csv", "text,label\nfine,0\nodd,2\n");
    expect(() => readCsv(path, row)).toThrow(`${path}, row 2: column "label" is wrong`);
    expect(() => readCsv(path, row)).toThrow(RowError);
  });

  it("names the column that the file lacks", () => {
    expect(() => readCsv(file("a.csv", "text\nfine\n"), row)).toThrow('row 1: column "label" is wrong');
  });

  it("names the row with a field too many", () => {
    expect(() => readCsv(file("a.csv", "text,label\nfine,0\nodd,0,1\n"), row)).toThrow(/a\.csv, row 2: .*columns/);
  });

  it("refuses a file without rows", () => {
    expect(() => readCsv(file("a.csv", "text,label\n"), row)).toThrow("expected at least one row");
  });
});

describe("readTsv", () => {
  it("takes quotation marks as ordinary characters unless told otherwise", () => {
    const path = file("a.tsv", 'text\tlabel\n"she said\t1\n');
    expect(readTsv(path, row)).toEqual([{ text: '"she said', label: "1" }]);
    const quoted = file("b.tsv", 'text\tlabel\n"she ""said""\nit"\t1\n');
    expect(readTsv(quoted, row, { quoted: true })).toEqual([{ text: 'she "said"\nit', label: "1" }]);
  });
});

describe("readJsonLines", () => {
  it("skips blank lines and falls back to the gzipped form of a missing file", () => {
    file("a.jsonl.gz", gzipSync('{"text":"a","label":"0"}\n\n{"text":"b","label":"1"}\n'));
    expect(readJsonLines(join(folder, "a.jsonl"), row).map(({ text }) => text)).toEqual(["a", "b"]);
  });

  it("names the row that is not JSON and the row that is not of the expected form", () => {
    expect(() => readJsonLines(file("a.jsonl", '{"text":"a","label":"0"}\n{oops\n'), row)).toThrow("a.jsonl, row 2");
    expect(() => readJsonLines(file("b.jsonl", "[1]\n"), row)).toThrow("b.jsonl, row 1: the row is wrong");
  });
});

describe("readJsonArray", () => {
  it("names the element that is wrong, and refuses anything but an array", () => {
    expect(readJsonArray(file("a.json", '[{"text":"a","label":"0"}]'), row)).toHaveLength(1);
    expect(() => readJsonArray(file("b.json", '[{"text":"a","label":"0"},{}]'), row)).toThrow("row 2");
    expect(() => readJsonArray(file("c.json", "{}"), row)).toThrow("expected a JSON array, got object");
  });
});
