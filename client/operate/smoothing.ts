/** Points of a curve as [step, value]. */
export type CurvePoint = readonly [step: number, value: number];

/**
 * Exponential moving average of the values, corrected for its start so that the first point is the first value:
 * s_i = (sum over j <= i of w^(i-j) x_j) / (sum over j <= i of w^(i-j)).
 * @param weight w in [0, 1): 0 leaves the curve as it is, nearer to 1 is smoother
 */
export function smooth(points: readonly CurvePoint[], weight: number): CurvePoint[] {
  let smoothed = 0;
  let total = 0;
  return points.map(([step, value]) => {
    total = total * weight + 1;
    // The same as the quotient of the two sums, but exact where the curve is flat: rounding would look like a trend.
    smoothed += (value - smoothed) / total;
    return [step, smoothed];
  });
}
