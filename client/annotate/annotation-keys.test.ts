import { expect, it } from "vitest";
import { commandOf, type KeyPlace, type KeyPress } from "./annotation-keys.ts";

const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({
  key,
  code: /^\d$/.test(key) ? `Digit${key}` : "",
  shiftKey: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...more,
});

it("labels by digit in the contract's order", () => {
  const labels = ["1", "2", "3", "4", "5"].map((digit) => commandOf(press(digit), "page"));
  const order = ["toxic", "off_topic", "evasive", "good", "ok"];
  expect(labels).toEqual(order.map((label) => ({ kind: "label", label })));
  expect(commandOf(press("6"), "page")).toBeNull();
});

it("sets severity by Shift and the physical digit, whatever character that gives", () => {
  for (const key of ["#", "§", "3"]) {
    expect(commandOf(press(key, { code: "Digit3", shiftKey: true }), "page")).toEqual({
      kind: "severity",
      severity: 3,
    });
  }
});

it("hands in by Enter, but leaves Enter to other buttons and to text", () => {
  const byPlace = (["page", "choice", "control", "text", "dialog"] satisfies KeyPlace[]).map((place) =>
    commandOf(press("Enter"), place),
  );
  expect(byPlace).toEqual([{ kind: "submit" }, { kind: "submit" }, null, null, null]);
  expect(commandOf(press("Enter", { ctrlKey: true }), "text")).toEqual({ kind: "submit" });
  expect(commandOf(press("Enter", { metaKey: true }), "text")).toEqual({ kind: "submit" });
});

it("lets one type in a text field and leave it by Esc", () => {
  for (const key of ["1", "n", "u", "?", "ArrowLeft"]) expect(commandOf(press(key), "text")).toBeNull();
  expect(commandOf(press("Escape"), "text")).toEqual({ kind: "leave" });
});

it("leaves the browser its own shortcuts", () => {
  expect(commandOf(press("r", { ctrlKey: true }), "page")).toBeNull();
  expect(commandOf(press("1", { metaKey: true }), "page")).toBeNull();
  expect(commandOf(press("ArrowLeft", { altKey: true }), "page")).toBeNull();
});
