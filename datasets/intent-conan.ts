import { join } from "node:path";
import { z } from "zod";
import { pair } from "./conan.ts";
import { readCsv } from "./read-rows.ts";
import type { Dialogue } from "./types.ts";

const row = z.object({
  "Hate Speech": z.string(),
  Target: z.string(),
  Category: z.string(),
  Counterspeech: z.string(),
});

/**
 * IntentCONAN (Gupta et al. 2023): pairs whose counter-narrative has a stated intent.
 * Its own splits share hate speech with one another, so they are kept only in the id: split anew with `splitDialogues`.
 */
export function loadIntentConan(folder: string): Dialogue[] {
  return ["train", "val", "test"].flatMap((part) =>
    readCsv(join(folder, `${part}.csv`), row).map((line, index) => ({
      ...pair(`${part}-${index}`, "intent-conan", line["Hate Speech"], line.Counterspeech, line.Target),
      intent: line.Category.toLowerCase(),
    })),
  );
}
