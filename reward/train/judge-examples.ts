/** Which rows the judge learns from: those that the reward model did not. */
import { hashFraction, normalizeTurn } from "../../datasets/split.ts";
import { type Example, loadExamples, sourceWeights } from "./examples.ts";
import type { LinearExample } from "./linear-training.ts";
import { seededRandom } from "./random.ts";

/** Sources whose labels mean what a probability should mean. */
const calibrationSources = ["jigsaw", "real-toxicity-prompts", "paradetox", "hate", "counter-narrative", "dialogue"];
const cleanSources = ["jigsaw", "real-toxicity-prompts", "counter-narrative", "dialogue"];

export interface JudgeExamples {
  /** Rows of the reward model's validation and test splits: no text that its weights were trained on. */
  training: LinearExample[];
  /** Half of the reward model's training rows, of the sources whose labels are probabilities. */
  calibration: Example[];
  /** The other half, of all sources. */
  test: Example[];
}

/** @param dataDir as `loadExamples` takes it */
export function loadJudgeExamples(dataDir: string): JudgeExamples {
  const rows = loadExamples(dataDir, seededRandom(1)).filter(
    ({ source, targets }) => source !== "written" && targets.TOXICITY !== undefined,
  );
  const seenByReward = rows.filter(({ split }) => split === "train");
  const seen = new Set(seenByReward.map(({ text }) => normalizeTurn(text)));
  const forCalibration = ({ text }: Example) => hashFraction(`judge ${normalizeTurn(text)}`) < 0.5;
  return {
    training: rows
      .filter(({ split, text }) => split !== "train" && !seen.has(normalizeTurn(text)))
      .map(({ text, source, targets }) => ({
        text,
        source,
        target: targets.TOXICITY ?? 0,
        weight: sourceWeights[source] ?? 0,
        harmless: cleanSources.includes(source) && (targets.TOXICITY ?? 1) <= 0.1,
      })),
    calibration: seenByReward.filter((row) => calibrationSources.includes(row.source) && forCalibration(row)),
    test: seenByReward.filter((row) => !forCalibration(row)),
  };
}
