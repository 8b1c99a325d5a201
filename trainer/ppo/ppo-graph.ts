/** One pass forward and back: the PPO losses of a few replies and their gradients. */
import { entropy, scoringExpressions } from "../../engine/architectures/scoring-graph.ts";
import type { BaseModel } from "../../engine/checkpoint/base-model.ts";
import { gradients } from "../../engine/graph/autodiff.ts";
import * as ops from "../../engine/graph/ops.ts";
import type { Tensor } from "../../engine/graph/tensor.ts";
import type { LoraAdapter, LoraShape } from "../../engine/lora/adapter.ts";
import { loraFeeds } from "../../engine/lora/lora-context.ts";
import { createSession, type Feeds, floats } from "../../engine/runtime/session.ts";
import { lengthBuckets } from "../length-buckets.ts";
import { addArrays, loraGradients, loraModel } from "../lora-graph.ts";
import { packSequences } from "../token-sequences.ts";
import type { Experience } from "./experience.ts";
import type { Learner } from "./learner.ts";
import { clippedValueLoss, policyLoss } from "./ppo-loss.ts";
import type { PpoPass } from "./ppo-pass.ts";
import { type ValueHead, valueExpression, valueFeeds } from "./value-head.ts";

export interface PpoGraphOptions {
  threads: number;
  clipRange: number;
  valueClipRange: number;
  maxLogRatio: number;
  /** Weight of the mean entropy in the loss; 0 leaves it out. */
  entropyCoefficient: number;
}

export interface PpoGraph {
  /** @param tokens of the whole minibatch, by which all losses are divided, so that passes of one minibatch add up */
  run(adapter: LoraAdapter, head: ValueHead, experiences: readonly Experience[], tokens: number): Promise<PpoPass>;
  dispose(): Promise<void>;
}

const vector = (name: string) => ops.input(name, ["targets"]);

/** loss = policy loss + value loss - entropyCoefficient * mean entropy; the value head alone feels the value loss. */
export async function createPpoGraph(base: BaseModel, shape: LoraShape, options: PpoGraphOptions): Promise<PpoGraph> {
  const { architecture } = base;
  const { context, lora } = loraModel(base, shape);
  const { logits, hidden } = scoringExpressions(architecture, context);
  const scaled = ops.mul(logits, ops.input("inverseTemperatures", ["targets", 1]));
  const logProbs = ops.tokenLogProbs(scaled, ops.input("targets", ["targets"], "int64"));
  const { values, parameters } = valueExpression(hidden, architecture.hiddenSize);

  const meanWeights = vector("meanWeights");
  const meanEntropy = ops.sumAll(ops.mul(meanWeights, entropy(scaled)));
  const policy = policyLoss(
    {
      logProbs,
      oldLogProbs: vector("oldLogProbs"),
      advantages: vector("advantages"),
      weights: vector("policyWeights"),
    },
    options,
  );
  const value = clippedValueLoss(
    { values, oldValues: vector("oldValues"), returns: vector("returns"), weights: meanWeights },
    options.valueClipRange,
  );
  const actor =
    options.entropyCoefficient === 0 ? policy : ops.sub(policy, ops.scale(meanEntropy, options.entropyCoefficient));
  const [weightGradient, biasGradient] = gradients(value, parameters) as [Tensor, Tensor];
  const outputs: Record<string, Tensor> = {
    policy,
    value,
    logProbs,
    entropy: meanEntropy,
    valueWeightGradient: weightGradient,
    valueBiasGradient: biasGradient,
    ...loraGradients(actor, lora),
  };
  const session = await createSession(outputs, { threads: options.threads, planMemory: false, ...base.source });

  return {
    async run(adapter, head, experiences, tokens) {
      const { feeds, spans } = packSequences(experiences.map(({ reply }) => reply));
      const found = await session.run({
        ...feeds,
        ...tokenFeeds(experiences, tokens),
        ...valueFeeds(head),
        ...loraFeeds(architecture, adapter),
      });
      const output = (name: string): Float32Array => {
        const tensor = found[name];
        if (tensor === undefined) throw new Error(`the PPO graph returned no ${name}`);
        return floats(tensor);
      };
      const logProbs = output("logProbs");
      const slice = (span: { start: number; end: number } | undefined) => logProbs.slice(span?.start, span?.end);
      const prefix = "gradient:";
      const matrices = Object.keys(found).filter((name) => name.startsWith(prefix));
      return {
        policyLoss: output("policy")[0] ?? Number.NaN,
        valueLoss: output("value")[0] ?? Number.NaN,
        logProbs: new Map(experiences.map((experience, row) => [experience, slice(spans[row])])),
        entropy: output("entropy")[0] ?? Number.NaN,
        tokens: logProbs.length,
        loraGradients: new Map(matrices.map((name) => [name.slice(prefix.length), output(name)])),
        valueGradients: new Map([
          ["weight", output("valueWeightGradient")],
          ["bias", output("valueBiasGradient")],
        ]),
      };
    },
    dispose: () => session.dispose(),
  };
}

/** The token vectors of several experiences one after another, as the graph's inputs. */
function tokenFeeds(experiences: readonly Experience[], tokens: number): Feeds {
  const joined = (pick: (experience: Experience) => Iterable<number>) => {
    const data = Float32Array.from(experiences.flatMap((experience) => [...pick(experience)]));
    return { data, shape: [data.length] };
  };
  const inverse = joined(({ reply }) => reply.replyTokens.map(() => 1 / reply.temperature));
  return {
    inverseTemperatures: { data: inverse.data, shape: [inverse.data.length, 1] },
    oldLogProbs: joined(({ oldLogProbs }) => oldLogProbs),
    oldValues: joined(({ oldValues }) => oldValues),
    advantages: joined(({ advantages }) => advantages),
    returns: joined(({ returns }) => returns),
    policyWeights: joined(({ importanceWeights }) => importanceWeights.map((weight) => weight / tokens)),
    meanWeights: joined(({ returns }) => returns.map(() => 1 / tokens)),
  };
}

/** Losses and gradients of a minibatch, in as many passes as its length asks for. */
export async function differentiate(
  graph: PpoGraph,
  { policy, head }: Pick<Learner, "policy" | "head">,
  minibatch: readonly Experience[],
  maxTokensPerPass: number,
): Promise<PpoPass> {
  const tokens = minibatch.reduce((sum, { oldLogProbs }) => sum + oldLogProbs.length, 0);
  const rows = minibatch.map((experience) => ({ ...experience.reply, experience }));
  let total: PpoPass | null = null;
  for (const bucket of lengthBuckets(rows, maxTokensPerPass, 0)) {
    const experiences = bucket.map(({ experience }) => experience);
    const pass = await graph.run(policy, head, experiences, tokens);
    total = total === null ? pass : sumOfPasses(total, pass);
  }
  if (total === null) throw new RangeError("a minibatch needs at least one reply");
  return total;
}

function sumOfPasses(a: PpoPass, b: PpoPass): PpoPass {
  return {
    policyLoss: a.policyLoss + b.policyLoss,
    valueLoss: a.valueLoss + b.valueLoss,
    entropy: a.entropy + b.entropy,
    tokens: a.tokens + b.tokens,
    logProbs: new Map([...a.logProbs, ...b.logProbs]),
    loraGradients: addArrays(a.loraGradients, b.loraGradients),
    valueGradients: addArrays(a.valueGradients, b.valueGradients),
  };
}
