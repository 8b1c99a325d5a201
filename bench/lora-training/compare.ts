/** Training steps of two programs in turns. */
import type { Figure } from "../report.ts";
import { median } from "../statistics.ts";
import { startTraining, type TrainingContender, type TrainingProgram, type TrainingSteps } from "./contender.ts";
import type { BatchSize } from "./job.ts";

export interface TrainingSizes extends BatchSize {
  /** What the figures are called after. */
  model: string;
  rounds: number;
  stepsARound: number;
}

export interface PairSizes extends TrainingSizes {
  /** Asked of ours / theirs in tokens a second; null where nothing is. */
  target: number | null;
  /** Largest difference between the losses, nats; left out where arithmetic differs. */
  sameLoss?: number;
}

/**
 * The last token of a row is never fed, on either side.
 * @returns both rates, the median of the rounds' ratios by the clock and by processor time, and how losses differ
 */
export async function comparePair(ours: TrainingProgram, theirs: TrainingProgram, sizes: PairSizes): Promise<Figure[]> {
  const both = await startBoth(ours, theirs);
  try {
    const warmUp = await eachInTurn(both, 1);
    const rounds: [TrainingSteps, TrainingSteps][] = [];
    for (let round = 0; round < sizes.rounds; round++) rounds.push(await eachInTurn(both, sizes.stepsARound));
    const ratios = (of: (steps: TrainingSteps) => readonly number[]) =>
      median(rounds.map(([own, other]) => median(of(other)) / median(of(own))));
    const all = [warmUp, ...rounds];
    const losses = (side: 0 | 1) => all.flatMap((turn) => turn[side].losses);
    const difference = Math.max(...losses(0).map((loss, step) => Math.abs(loss - (losses(1)[step] ?? Number.NaN))));
    const title = `${sizes.model} LoRA`;
    const against = `${ours.name} / ${theirs.name}`;
    return [
      ...([0, 1] as const).map((side) =>
        rateFigure(
          title,
          both[side].name,
          rounds.map((turn) => turn[side]),
          sizes,
        ),
      ),
      {
        name: `${title}, ${against}`,
        value: ratios(({ seconds }) => seconds),
        unit: "x",
        target: sizes.target === null ? null : { atLeast: sizes.target },
        how: `median of ${sizes.rounds} turns' ratios`,
      },
      {
        name: `${title}, ${against}, processor time`,
        value: ratios(({ processorSeconds }) => processorSeconds),
        unit: "x",
        target: null,
        how: "the same, busy seconds of all threads",
      },
      {
        name: `${title}, ${against}, loss`,
        value: difference,
        unit: "nats",
        target: sizes.sameLoss === undefined ? null : { atMost: sizes.sameLoss },
        how: `largest difference of ${all.flatMap(([own]) => own.losses).length} steps, from ${losses(0)[0]?.toFixed(4)}`,
      },
    ];
  } finally {
    for (const contender of both) await contender.stop();
  }
}

/** The rate of a program that nothing is compared with. */
export async function measureAlone(program: TrainingProgram, sizes: TrainingSizes): Promise<Figure[]> {
  const contender = await startTraining(program);
  try {
    await contender.steps(1);
    const rounds = [await contender.steps(sizes.rounds * sizes.stepsARound)];
    return [rateFigure(`${sizes.model} LoRA`, contender.name, rounds, sizes)];
  } finally {
    await contender.stop();
  }
}

async function startBoth(
  ours: TrainingProgram,
  theirs: TrainingProgram,
): Promise<[TrainingContender, TrainingContender]> {
  const first = await startTraining(ours);
  try {
    return [first, await startTraining(theirs)];
  } catch (error) {
    await first.stop();
    throw error;
  }
}

async function eachInTurn(
  [ours, theirs]: readonly [TrainingContender, TrainingContender],
  steps: number,
): Promise<[TrainingSteps, TrainingSteps]> {
  const own = await ours.steps(steps);
  return [own, await theirs.steps(steps)];
}

function rateFigure(
  title: string,
  name: string,
  rounds: readonly TrainingSteps[],
  { rows, promptTokens, replyTokens }: TrainingSizes,
): Figure {
  const tokens = rows * (promptTokens + replyTokens - 1);
  return {
    name: `${title}, ${name}`,
    value: tokens / median(rounds.flatMap(({ seconds }) => seconds)),
    unit: "tokens/s",
    target: null,
    how: `${rows} rows of ${promptTokens} + ${replyTokens} tokens, rank 16, all linear layers`,
  };
}
