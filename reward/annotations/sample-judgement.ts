import type { Judgement } from "./judgement.ts";

/** A judgement for the tests of this folder: "judge exchange label", changed by `change`. */
export function sample(words: string, change: Partial<Judgement> = {}): Judgement {
  const [judge = "", exchangeId = "", label = "ok"] = words.split(" ");
  return {
    id: `${judge}/${exchangeId}`,
    exchangeId,
    judge,
    source: label.startsWith("thumbs") ? "chatter" : "annotator",
    label: label as Judgement["label"],
    at: "2026-03-01T10:00:00.000Z",
    about: { adapter: 1, owner: "anonymous", conversation: exchangeId },
    ...change,
  };
}
