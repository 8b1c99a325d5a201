/** Points of a curve as [step, value]. */
export type CurvePoint = readonly [step: number, value: number];

/**
 * Exponential moving average of the values, corrected for its start so that the first point is the first value:
 * s_i = (sum over j <= i of w^(i-j) x_j) / (sum over j <= i of w^(i-j)).
 * @param weight w in [0, 1): 0 leaves the curve as it is, nearer to 1 is smoother
 */
export function smooth(points: readonly CurvePoint[], weight: number): CurvePoint[] {
  let sum = 0;
  let total = 0;
  return points.map(([step, value]) => {
    sum = sum * weight + value;
    total = total * weight + 1;
    return [step, sum / total];
  });
}
