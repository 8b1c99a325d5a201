/** A judgement that is not handed in yet, with the way back. */
import type { AnnotationLabel, AnnotationRequest } from "../../server/protocol/index.ts";

export interface Draft {
  label: AnnotationLabel | null;
  /** 1 to 5, or null for none given. */
  severity: number | null;
  note: string;
  rewrite: string;
}

export interface DraftHistory {
  draft: Draft;
  /** Earlier drafts, latest last. */
  past: readonly Draft[];
  /** Which text the last step typed at, so that a run of typing is undone as one. */
  typingAt: "note" | "rewrite" | null;
}

export type DraftStep =
  | { kind: "label"; label: AnnotationLabel }
  /** The severity that is given already is taken back. */
  | { kind: "severity"; severity: number }
  | { kind: "note" | "rewrite"; text: string }
  | { kind: "undo" };

export const emptyDraft: DraftHistory = {
  draft: { label: null, severity: null, note: "", rewrite: "" },
  past: [],
  typingAt: null,
};

export function stepDraft(history: DraftHistory, step: DraftStep): DraftHistory {
  const { draft, past, typingAt } = history;
  switch (step.kind) {
    case "undo": {
      const before = past.at(-1);
      return before ? { draft: before, past: past.slice(0, -1), typingAt: null } : history;
    }
    case "label":
      if (step.label === draft.label) return history;
      return { draft: { ...draft, label: step.label }, past: [...past, draft], typingAt: null };
    case "severity": {
      const severity = step.severity === draft.severity ? null : step.severity;
      return { draft: { ...draft, severity }, past: [...past, draft], typingAt: null };
    }
    case "note":
    case "rewrite": {
      const goesOn = typingAt === step.kind;
      return {
        draft: { ...draft, [step.kind]: step.text },
        past: goesOn ? past : [...past, draft],
        typingAt: step.kind,
      };
    }
  }
}

/** What is sent to the server; null while the label, the one thing it needs, is missing. */
export function requestOf({ label, severity, note, rewrite }: Draft): AnnotationRequest | null {
  if (label === null) return null;
  return {
    label,
    ...(severity === null ? {} : { severity }),
    ...(note.trim() === "" ? {} : { note: note.trim() }),
    ...(rewrite.trim() === "" ? {} : { rewrite: rewrite.trim() }),
  };
}
