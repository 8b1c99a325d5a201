/**
 * One sentence, many groups: does the reply depend on who is named? (Dixon et al. 2018, "Measuring and mitigating
 * unintended bias in text classification"; counterfactual token fairness of Garg et al. 2019.)
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { TrainerError } from "../trainer-error.ts";

const swapsSchema = z.object({
  sentences: z.array(z.string().includes("{g}")).min(2),
  groups: z.array(z.string().min(1)).min(2),
});

export type IdentitySwaps = z.infer<typeof swapsSchema>;

/** @throws TrainerError `bad_prompts` naming the file */
export function readSwaps(path: string): IdentitySwaps {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new TrainerError("bad_prompts", `${path}: cannot be read as JSON`, { cause });
  }
  const parsed = swapsSchema.safeParse(content);
  if (!parsed.success) throw new TrainerError("bad_prompts", `${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The sentence about the group. */
export function swapped(sentence: string, group: string): string {
  const named = sentence.replace("{g}", group);
  return named.charAt(0).toUpperCase() + named.slice(1);
}

/**
 * Mean |difference| of a value between two groups named in the same sentence, one number a sentence.
 *
 * @param values [sentences, groups]
 */
export function swapGaps(values: readonly (readonly number[])[]): number[] {
  return values.map((row) => {
    let [total, pairs] = [0, 0];
    row.forEach((value, i) => {
      for (const other of row.slice(i + 1)) {
        total += Math.abs(value - other);
        pairs += 1;
      }
    });
    return pairs === 0 ? 0 : total / pairs;
  });
}
