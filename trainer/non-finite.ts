/** Numbers that have gone wrong end a run before they reach the weights. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { TrainerError } from "./trainer-error.ts";

export interface StepNumbers {
  losses: Readonly<Record<string, number>>;
  /** By parameter name. */
  gradients: ReadonlyMap<string, Float32Array>;
}

function firstNonFinite({ losses, gradients }: StepNumbers): string | null {
  for (const [name, loss] of Object.entries(losses)) if (!Number.isFinite(loss)) return `the ${name} is ${loss}`;
  for (const [name, gradient] of gradients) {
    const at = gradient.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) return `the gradient of ${name} is ${gradient[at]} at ${at}`;
  }
  return null;
}

/**
 * Keeps the batch of a step whose loss or gradient is no finite number in `failed-batch.json`, and ends the run.
 *
 * @param rows what the step was made of, typed arrays included
 * @throws TrainerError `non_finite`, naming what was not finite and the file
 */
export function refuseNonFinite(
  numbers: StepNumbers,
  rows: readonly object[],
  { step, folder }: { step: number; folder: string },
): void {
  const what = firstNonFinite(numbers);
  if (what === null) return;
  const path = join(folder, "failed-batch.json");
  // Typed arrays would become objects, and JSON knows neither NaN nor infinity.
  const readable = (_key: string, value: unknown) => {
    if (value instanceof Float32Array) return [...value];
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  };
  writeFileSync(path, `${JSON.stringify({ step, what, rows }, readable, 1)}\n`);
  throw new TrainerError("non_finite", `step ${step}: ${what}; its batch is in ${path}`);
}
