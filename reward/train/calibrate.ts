/** Platt scaling: raw outputs to log-odds. */

export interface Calibration {
  scale: number;
  offset: number;
}

export interface CalibrationPoint {
  raw: number;
  /** Share of raters who said yes, 0..1. */
  target: number;
  weight: number;
}

/**
 * The scale and offset that minimise the weighted cross-entropy of sigmoid(scale * raw + offset) against the targets,
 * by Newton's method with a small ridge (Platt 1999, Lin et al. 2007).
 */
export function fitPlatt(points: readonly CalibrationPoint[], steps = 50): Calibration {
  let scale = 1;
  let offset = 0;
  for (let step = 0; step < steps; step++) {
    let gradientScale = 0;
    let gradientOffset = 0;
    let scaleScale = 1e-6;
    let scaleOffset = 0;
    let offsetOffset = 1e-6;
    for (const { raw, target, weight } of points) {
      const p = 1 / (1 + Math.exp(-(scale * raw + offset)));
      const error = weight * (p - target);
      const curvature = weight * p * (1 - p);
      gradientScale += error * raw;
      gradientOffset += error;
      scaleScale += curvature * raw * raw;
      scaleOffset += curvature * raw;
      offsetOffset += curvature;
    }
    const determinant = scaleScale * offsetOffset - scaleOffset * scaleOffset;
    // Bounded steps keep Newton's method from overshooting where the sigmoid is flat.
    const bounded = (delta: number) => Math.max(-1, Math.min(1, delta));
    scale -= bounded((offsetOffset * gradientScale - scaleOffset * gradientOffset) / determinant);
    offset -= bounded((scaleScale * gradientOffset - scaleOffset * gradientScale) / determinant);
  }
  return { scale, offset };
}
