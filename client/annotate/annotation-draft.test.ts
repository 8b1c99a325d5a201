import { expect, it } from "vitest";
import { type DraftStep, emptyDraft, requestOf, stepDraft } from "./annotation-draft.ts";

const after = (...steps: DraftStep[]) => steps.reduce(stepDraft, emptyDraft);

it("keeps the last label and severity, and takes a repeated severity back", () => {
  const given = after(
    { kind: "label", label: "ok" },
    { kind: "label", label: "toxic" },
    { kind: "severity", severity: 4 },
  );
  expect(given.draft).toMatchObject({ label: "toxic", severity: 4 });
  expect(stepDraft(given, { kind: "severity", severity: 4 }).draft.severity).toBeNull();
});

it("undoes step by step, and a run of typing as one step", () => {
  const given = after(
    { kind: "label", label: "evasive" },
    { kind: "note", text: "n" },
    { kind: "note", text: "no" },
    { kind: "rewrite", text: "r" },
  );
  const once = stepDraft(given, { kind: "undo" });
  expect(once.draft).toMatchObject({ note: "no", rewrite: "" });
  const twice = stepDraft(once, { kind: "undo" });
  expect(twice.draft).toMatchObject({ label: "evasive", note: "" });
  const thrice = stepDraft(twice, { kind: "undo" });
  expect(thrice.draft).toEqual(emptyDraft.draft);
  expect(stepDraft(thrice, { kind: "undo" })).toBe(thrice);
});

it("starts a new step when typing goes on after an undo", () => {
  const given = after({ kind: "note", text: "a" }, { kind: "undo" }, { kind: "note", text: "b" });
  expect(stepDraft(given, { kind: "undo" }).draft.note).toBe("");
});

it("becomes a request once there is a label, without what is empty", () => {
  expect(requestOf(after({ kind: "note", text: "why" }).draft)).toBeNull();
  expect(requestOf(after({ kind: "label", label: "good" }, { kind: "note", text: "  " }).draft)).toEqual({
    label: "good",
  });
  const full = after(
    { kind: "label", label: "off_topic" },
    { kind: "severity", severity: 2 },
    { kind: "rewrite", text: " Better. " },
  );
  expect(requestOf(full.draft)).toEqual({ label: "off_topic", severity: 2, rewrite: "Better." });
});
