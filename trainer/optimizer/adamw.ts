/** AdamW (Loshchilov & Hutter 2019): Adam with decoupled weight decay. Updates in place. */

export interface AdamState {
  /** First and second moment, as long as the parameter. */
  m: Float32Array;
  v: Float32Array;
}

export interface AdamWOptions {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

export function createAdamState(size: number): AdamState {
  return { m: new Float32Array(size), v: new Float32Array(size) };
}

/**
 * w -= lr (m^ / (sqrt(v^) + eps) + decay w), with the bias-corrected moments m^ and v^.
 *
 * @param step counts from 1
 */
export function adamWStep(
  weights: Float32Array,
  gradient: Float32Array,
  state: AdamState,
  step: number,
  { learningRate, beta1, beta2, epsilon, weightDecay }: AdamWOptions,
): void {
  const { m, v } = state;
  const correction1 = 1 - beta1 ** step;
  const correction2 = Math.sqrt(1 - beta2 ** step);
  const size = learningRate / correction1;
  const keep = 1 - learningRate * weightDecay;
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i] as number;
    const mean = beta1 * (m[i] as number) + (1 - beta1) * g;
    const square = beta2 * (v[i] as number) + (1 - beta2) * g * g;
    m[i] = mean;
    v[i] = square;
    weights[i] = (weights[i] as number) * keep - (size * mean) / (Math.sqrt(square) / correction2 + epsilon);
  }
}
