/** Fits each head's calibration on rows that training does not see. */
import { combineViews, textViews } from "../classifier/views.ts";
import { type Calibration, type CalibrationPoint, fitPlatt } from "./calibrate.ts";
import { type Example, heads } from "./examples.ts";
import type { Network } from "./network.ts";

/** Sources whose labels mean what a probability should mean, each of equal weight in the calibration. */
const calibrationSources = ["jigsaw", "real-toxicity-prompts", "paradetox", "hate", "counter-narrative", "dialogue"];

/**
 * One calibration a head, fitted to the split "validation", on texts as they are scored: by windows and sentences.
 */
export function calibrateHeads(trained: Network, all: readonly Example[]): Calibration[] {
  const heldOut = all
    .filter((example) => example.split === "validation" && calibrationSources.includes(example.source))
    .map((example) => {
      const { whole, sentences } = textViews(example.text, trained.shape);
      const rows = [whole, sentences].map((windows) => windows.map((window) => [...trained.forward(window)]));
      return { ...example, rows };
    })
    .filter(({ rows }) => rows[0]?.length !== 0);
  return heads.map((head, k) => {
    const points: (CalibrationPoint & { source: string })[] = heldOut.flatMap(({ source, targets, rows }) => {
      const target = targets[head];
      if (target === undefined) return [];
      const [whole = [], sentences = []] = rows.map((list) => list.map((row) => row[k] as number));
      return [{ source, raw: combineViews(whole, sentences), target, weight: 1 }];
    });
    const sizes = Object.groupBy(points, (point) => point.source);
    for (const point of points) point.weight = 1000 / (sizes[point.source]?.length ?? 1);
    return fitPlatt(points);
  });
}
