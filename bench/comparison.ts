/** Our engine and llama.cpp on the same weights, in turns, in one process. */
import { alternate } from "./alternate.ts";
import type { Contender } from "./contender.ts";
import type { Figure } from "./report.ts";

export interface ComparisonSizes {
  /** What the figures are called after. */
  model: string;
  promptTokens: number;
  steps: number;
  /** Steps of the run with several streams. */
  streamSteps: number;
  rounds: number;
  /** What is asked of ours / theirs. */
  targets: { decode: number; streams: number; prefill: number };
}

const streams = 8;

/** @param theirs null where llama.cpp is not to be had: then ours is measured alone */
export async function compare(ours: Contender, theirs: Contender | null, sizes: ComparisonSizes): Promise<Figure[]> {
  const { model, promptTokens, steps, streamSteps, rounds, targets } = sizes;
  const contenders = theirs === null ? [ours] : [ours, theirs];
  const kinds = [
    {
      kind: "decode",
      target: targets.decode,
      rate: async (of: Contender) => steps / (await of.decode(1, steps)),
      how: `${steps} greedy tokens of one stream`,
    },
    {
      kind: `${streams} streams`,
      target: targets.streams,
      rate: async (of: Contender) => (streams * streamSteps) / (await of.decode(streams, streamSteps)),
      how: `${streamSteps} greedy tokens of each stream, all together`,
    },
    {
      kind: "prefill",
      target: targets.prefill,
      rate: async (of: Contender) => promptTokens / (await of.prefill(promptTokens)),
      how: `prompt of ${promptTokens} tokens to the first new token`,
    },
  ];
  for (const contender of contenders) for (const count of [1, streams]) await contender.decode(count, 2);
  const figures: Figure[] = [];
  for (const { kind, target, rate, how } of kinds) {
    const rates = await alternate(
      rounds,
      contenders.map((contender) => () => rate(contender)),
      false,
    );
    contenders.forEach(({ name }, index) => {
      figures.push({
        name: `${model} ${kind}, ${name}`,
        value: rates[index] as number,
        unit: "tokens/s",
        target: null,
        how: `${how}, median of ${rounds}`,
      });
    });
    const [own = 0, other] = rates;
    if (other === undefined) continue;
    figures.push({
      name: `${model} ${kind}, ours / llama.cpp`,
      value: own / other,
      unit: "x",
      target: { atLeast: target },
      how: "the quotient",
    });
  }
  return figures;
}
