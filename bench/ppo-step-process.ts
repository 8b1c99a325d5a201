/**
 * `ppo-step-process.ts FOLDER PRECISION REPLIES`: one PPO step, forward, back and optimizer, on replies of 256 tokens,
 * as a run would do it; prints what it took as JSON. Its memory is watched from outside.
 */
import { randomStream } from "../engine/generation/random.ts";
import { everyTarget, freshAdapter } from "../engine/lora/adapter.ts";
import { openBaseModel } from "../engine/open-base-model.ts";
import type { ModelInfo } from "../engine/types.ts";
import { defaultPpoSettings, fixedPpoSettings } from "../trainer/ppo/default-settings.ts";
import type { Experience } from "../trainer/ppo/experience.ts";
import { createLearner, improve } from "../trainer/ppo/learner.ts";
import { createPpoGraph, differentiate } from "../trainer/ppo/ppo-graph.ts";

const promptTokens = 32;
const replyTokens = 256;
const rank = 16;
/** Padded tokens of a pass: one reply at a time, as these shapes leave room for no more. */
const tokensPerPass = 512;

const [folder = "", quantization, replies] = process.argv.slice(2);
const base = await openBaseModel(folder, { quantization: quantization as ModelInfo["quantization"] });
const { architecture } = base;
const random = randomStream(1);
const shape = { rank, alpha: rank, targetModules: everyTarget(architecture), rankStabilized: false };
const learner = createLearner(freshAdapter(architecture, shape, random), architecture.hiddenSize);

const drawn = (count: number) =>
  Array.from({ length: count }, () => Math.floor(random() * architecture.vocabularySize));
const vector = (make: () => number) => Float32Array.from({ length: replyTokens }, make);
const batch: Experience[] = Array.from({ length: Number(replies) }, () => {
  const oldLogProbs = vector(() => -Math.log(architecture.vocabularySize));
  return {
    reply: {
      id: "random",
      exchange: null,
      promptTokens: drawn(promptTokens),
      replyTokens: drawn(replyTokens),
      behaviourLogProbs: oldLogProbs,
      temperature: 1,
      reward: 0,
      ended: true,
    },
    oldLogProbs,
    oldValues: vector(() => 0),
    advantages: vector(() => 2 * random() - 1),
    returns: vector(random),
    importanceWeights: vector(() => 1),
    referenceKl: 0,
    sampledReferenceKl: 0,
  };
});

const settings = { ...fixedPpoSettings, ...defaultPpoSettings };
const graph = await createPpoGraph(base, shape, { ...settings, threads: 2 });
const began = performance.now();
const pass = await differentiate(graph, learner, batch, tokensPerPass);
const norm = improve(learner, pass, { updates: 0, valueUpdates: 0 }, settings.learningRate, settings);
const seconds = (performance.now() - began) / 1000;
await graph.dispose();
if (!Number.isFinite(norm) || norm === 0) throw new Error(`the policy's gradient has the norm ${norm}`);
process.stdout.write(JSON.stringify({ seconds, tokens: pass.tokens }));
