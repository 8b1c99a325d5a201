import { expect, it } from "vitest";
import type { Deployment } from "../protocol/index.ts";
import { liveBefore } from "./deployment-history.ts";

function log(...entries: [Deployment["action"], number][]): Deployment[] {
  const identity = (version: number) => ({ name: "rejoinder", version, sha256: `hash-${version}` });
  return entries.map(([action, version], index) => {
    return {
      id: index + 1,
      at: "2026-01-01T00:00:00.000Z",
      actor: "ann",
      action,
      from: null,
      to: identity(version),
      reason: "",
    };
  });
}

it("is nothing before the second promotion", () => {
  expect(liveBefore([])).toEqual([]);
  expect(liveBefore(log(["promote", 1]))).toEqual([]);
});

it("is the promotion before the last, rejections aside", () => {
  expect(liveBefore(log(["promote", 1], ["promote", 2], ["reject", 3]))[0]?.version).toBe(1);
});

it("goes further back with every rollback", () => {
  const entries: [Deployment["action"], number][] = [
    ["promote", 1],
    ["promote", 2],
    ["promote", 3],
    ["rollback", 2],
  ];
  expect(liveBefore(log(...entries))[0]?.version).toBe(1);
  expect(liveBefore(log(...entries, ["rollback", 1]))).toEqual([]);
});

it("counts from the rollback's target when something new is promoted after it", () => {
  const entries = log(["promote", 1], ["promote", 2], ["rollback", 1], ["promote", 3]);
  expect(liveBefore(entries)[0]?.version).toBe(1);
});

it("keeps the base model as a version like any other", () => {
  expect(liveBefore(log(["promote", 0], ["promote", 1]))[0]?.version).toBe(0);
});
