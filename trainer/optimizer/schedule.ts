/** What the learning rate is multiplied by as training goes on. */
export type Decay = "linear" | "cosine" | "constant";

/**
 * Rises in a line over the warm-up, then falls to zero at the end.
 *
 * @param step steps done so far, 0 before the first
 */
export function learningRateFactor(step: number, steps: number, warmupSteps: number, decay: Decay): number {
  if (step < warmupSteps) return (step + 1) / warmupSteps;
  const share = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  if (decay === "constant") return 1;
  return decay === "linear" ? 1 - share : (1 + Math.cos(Math.PI * share)) / 2;
}
