/**
 * The KL coefficient for the next batch (Ziegler et al. 2019): beta (1 + clip(KL / target - 1, -0.2, 0.2) n / horizon).
 *
 * @param kl of the policy to the reference in this batch, nats a reply
 * @param exchanges n, in this batch
 * @param horizon exchanges over which the coefficient may change by a fifth
 */
export function nextKlCoefficient(
  coefficient: number,
  kl: number,
  exchanges: number,
  { target, horizon }: { target: number; horizon: number },
): number {
  const error = Math.min(0.2, Math.max(-0.2, kl / target - 1));
  return coefficient * (1 + (error * exchanges) / horizon);
}
