/**
 * KL(p || q) estimated from tokens sampled from p (Schulman 2020, "Approximating KL divergence"), summed over tokens:
 * k1 = log p - log q is unbiased and may be negative; k3 = q/p - 1 - log(q/p) is unbiased, too, and never negative.
 *
 * @param maxLogRatio |log(q/p)| is cut there, so that one odd token cannot overflow
 */
export function klEstimates(logP: Float32Array, logQ: Float32Array, maxLogRatio: number): { k1: number; k3: number } {
  let k1 = 0;
  let k3 = 0;
  logP.forEach((p, t) => {
    const logRatio = Math.min(maxLogRatio, Math.max(-maxLogRatio, (logQ[t] as number) - p));
    k1 -= logRatio;
    k3 += Math.expm1(logRatio) - logRatio;
  });
  return { k1, k3 };
}
