/**
 * Generalized advantage estimation (Schulman et al. 2016) over one reply, which ends after its last token:
 * delta_t = r_t + gamma V_(t+1) - V_t with V = 0 after the end; A_t = delta_t + gamma lambda A_(t+1).
 *
 * @param rewards r_t for t = 0..n-1
 * @param values V_t, the value before token t
 * @returns advantages A_t and the value targets A_t + V_t
 */
export function generalizedAdvantages(
  rewards: Float32Array,
  values: Float32Array,
  gamma: number,
  lambda: number,
): { advantages: Float32Array; returns: Float32Array } {
  const advantages = new Float32Array(rewards.length);
  let next = 0;
  for (let t = rewards.length - 1; t >= 0; t--) {
    const delta = (rewards[t] as number) + gamma * (values[t + 1] ?? 0) - (values[t] as number);
    next = delta + gamma * lambda * next;
    advantages[t] = next;
  }
  return { advantages, returns: advantages.map((advantage, t) => advantage + (values[t] as number)) };
}

/**
 * Moves all tokens of a batch together to mean 0 and (population) standard deviation 1, in new arrays.
 *
 * @param leastDeviation a smaller deviation counts as this much: where all replies are worth the same, the critic's noise
 *   is not blown up to a signal
 */
export function whiten(advantages: readonly Float32Array[], leastDeviation: number): Float32Array[] {
  const count = advantages.reduce((sum, { length }) => sum + length, 0);
  const sumOf = (f: (value: number) => number) =>
    advantages.reduce((sum, array) => array.reduce((inner, value) => inner + f(value), sum), 0);
  const mean = sumOf((value) => value) / count;
  const deviation = Math.max(leastDeviation, Math.sqrt(sumOf((value) => (value - mean) ** 2) / count));
  return advantages.map((array) => array.map((value) => (value - mean) / deviation));
}
