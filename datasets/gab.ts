import { join } from "node:path";
import { z } from "zod";
import { pair } from "./conan.ts";
import { readCsv } from "./read-rows.ts";
import type { Dialogue } from "./types.ts";

const row = z.object({ hate_speech: z.string(), counter_speech: z.string() });

/**
 * Gab posts with interventions written by crowd workers (Qian et al. 2019).
 * The same interventions are pasted under many posts, also across the published files.
 */
export function loadGab(folder: string): Dialogue[] {
  return ["gab_val", "gab_test"].flatMap((part) =>
    readCsv(join(folder, `${part}.csv`), row).map((line, index) =>
      pair(`${part}-${index}`, "gab", line.hate_speech, line.counter_speech, "unknown"),
    ),
  );
}
