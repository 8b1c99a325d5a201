import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const program = join(import.meta.dirname, "sft", "main.ts");
const run = (...args: string[]) => spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });

describe("a program of the trainer", () => {
  it.each([
    [["--train", "/no/such.jsonl", "--validation", "/no/such.jsonl"], /^ENOENT: .*'\/no\/such\.jsonl'\n$/],
    [["--train", "a", "--validation", "b", "--model", "/no/such"], /^\/no\/such\/config\.json: .*\n$/],
    [["--training", "a"], /^Unknown option '--training'/],
  ])("says in a sentence what %j has wrong", (args, message) => {
    const { status, stderr } = run(...args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("    at ");
    expect(status).toBe(1);
  });
});
