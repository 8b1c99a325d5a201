import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { TrainerError } from "../trainer-error.ts";
import type { Experience } from "./experience.ts";
import type { PpoPass } from "./ppo-pass.ts";

function firstNonFinite({ policyLoss, valueLoss, loraGradients, valueGradients }: PpoPass): string | null {
  if (!Number.isFinite(policyLoss)) return `the policy loss is ${policyLoss}`;
  if (!Number.isFinite(valueLoss)) return `the value loss is ${valueLoss}`;
  for (const [name, gradient] of [...loraGradients, ...valueGradients]) {
    const at = gradient.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) return `the gradient of ${name} is ${gradient[at]} at ${at}`;
  }
  return null;
}

/**
 * Ends a run whose numbers have gone wrong before they reach the weights, and keeps the minibatch for inspection.
 *
 * @throws TrainerError `non_finite`, naming what was not finite and the file
 */
export function refuseNonFinite(
  pass: PpoPass,
  minibatch: readonly Experience[],
  { step, folder }: { step: number; folder: string },
): void {
  const what = firstNonFinite(pass);
  if (what === null) return;
  const path = join(folder, "failed-minibatch.json");
  const rows = minibatch.map(({ reply, ...arrays }) => ({ ...reply, ...arrays }));
  // Typed arrays would become objects, and JSON knows neither NaN nor infinity.
  const readable = (_key: string, value: unknown) => {
    if (value instanceof Float32Array) return [...value];
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  };
  writeFileSync(path, `${JSON.stringify({ step, what, rows }, readable, 1)}\n`);
  throw new TrainerError("non_finite", `step ${step}: ${what}; its minibatch is in ${path}`);
}
