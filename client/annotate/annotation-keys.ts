/** What the keys of the annotation page do, as data for the page, its cheat sheet and its tests. */
import { type AnnotationLabel, annotationLabels } from "../../server/protocol/index.ts";

export type AnnotationCommand =
  | { kind: "label"; label: AnnotationLabel }
  | { kind: "severity"; severity: number }
  | { kind: "undo" }
  | { kind: "submit" | "previous" | "next" | "reveal" | "note" | "rewrite" | "help" | "leave" };

/** Where the focus is: a label or severity button is a `choice`, any other button or link a `control`. */
export type KeyPlace = "page" | "choice" | "control" | "text" | "dialog";

export interface KeyPress {
  key: string;
  /** The physical key: with Shift, digits give another character on every keyboard. */
  code: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

const single: Record<string, AnnotationCommand> = {
  n: { kind: "note" },
  r: { kind: "rewrite" },
  u: { kind: "undo" },
  v: { kind: "reveal" },
  "?": { kind: "help" },
  ArrowLeft: { kind: "previous" },
  ArrowRight: { kind: "next" },
};

/** The command of a key press, or null where the key is left to the browser. */
export function commandOf(press: KeyPress, place: KeyPlace): AnnotationCommand | null {
  const { key, code, shiftKey, ctrlKey, metaKey, altKey } = press;
  if (place === "dialog" || altKey) return null;
  if (place === "text") {
    if (key === "Escape") return { kind: "leave" };
    return key === "Enter" && (ctrlKey || metaKey) ? { kind: "submit" } : null;
  }
  if (key === "Enter") return place === "control" && !ctrlKey && !metaKey ? null : { kind: "submit" };
  if (ctrlKey || metaKey) return null;

  const digit = Number(/^(?:Digit|Numpad)([1-5])$/.exec(code)?.[1] ?? 0);
  if (digit > 0 && shiftKey) return { kind: "severity", severity: digit };
  const label = annotationLabels[digit - 1];
  if (label) return { kind: "label", label };
  return single[key] ?? null;
}

/** For the cheat sheet: the keys of each line are alternatives. */
export const cheatSheet: { keys: string[]; does: string }[] = [
  { keys: ["1", "2", "3", "4", "5"], does: "Label: toxic, off topic, evasive, good, ok" },
  { keys: ["Shift 1 … 5"], does: "Severity, from slight to severe; again to take it back" },
  { keys: ["n"], does: "Write a note" },
  { keys: ["r"], does: "Write a better reply" },
  { keys: ["Esc"], does: "Leave the text field" },
  { keys: ["Enter"], does: "Hand in and go on" },
  { keys: ["Ctrl Enter"], does: "Hand in from within a text field" },
  { keys: ["←", "→"], does: "Previous, next" },
  { keys: ["u"], does: "Undo the last change of the draft" },
  { keys: ["v"], does: "Show or hide a blurred reply" },
  { keys: ["?"], does: "This list" },
];
