/**
 * PPO on logged exchanges or on fresh rollouts, to an adapter.
 *
 * Differences from the textbook (Schulman et al. 2017; Ouyang et al. 2022):
 * - Three policies are told apart: the one that wrote a reply (behaviour), the one at the beginning of a batch (old) and
 *   the one being trained (current). With fresh rollouts behaviour and old are the same in a round's first batch, but for
 *   rounding; in its later ones the policy has moved on, as it has for a log.
 * - The policy that is trained is the one that speaks: softmax(logits / temperature) at each reply's own temperature.
 *   Truncation by top-p or top-k and repetition penalties are not modelled; see importance-weights.ts. Fresh rollouts are
 *   sampled without any.
 * - The reference of the KL penalty is the adapter that the run continues from, frozen (the base model when there is
 *   none), so the anchor moves on from run to run.
 * - Rewards are standardized over the snapshot, or over the round, so that settings fit any reward model.
 * - The KL that is reported and steers its coefficient is exact at each context, not estimated from tokens; the estimate
 *   is reported beside it.
 * - The critic is linear on the policy's hidden states, which it does not change. It has its own constant learning rate.
 * - A cancelled reply never trains. One cut by a length limit counts as ended, with a penalty, or is left out where
 *   `cutReplies` says so.
 * - A round whose replies are all worth the same is passed over: standardized, it would be noise.
 */
import { join } from "node:path";
import { probeOf, writeAdapterFolder } from "../adapter-folder.ts";
import { loadRunCheckpoint, saveRunCheckpoint } from "../checkpoint/run-checkpoint.ts";
import type { TrainingJob } from "../contract.ts";
import { refuseNonFinite } from "../non-finite.ts";
import { openTrainedBase } from "../open-trained-base.ts";
import { learningRateFactor } from "../optimizer/schedule.ts";
import { parentOf, startingAdapter } from "../parent-adapter.ts";
import type { RunReporter } from "../run-reporter.ts";
import type { PpoSettings } from "../settings.ts";
import { TrainerError } from "../trainer-error.ts";
import { batchesOf, minibatchesOf, stepsOf } from "./batches.ts";
import { defaultPpoSettings, fixedPpoSettings } from "./default-settings.ts";
import { meanReferenceKl, scoreReplies, splitByDistance, toExperience, valueTargets } from "./experience.ts";
import { freshRollouts } from "./fresh-rollouts.ts";
import { nextKlCoefficient } from "./kl-controller.ts";
import { createLearner, improve, learnerTensors } from "./learner.ts";
import { loggedRollouts } from "./logged-rollouts.ts";
import { createPolicyScorer } from "./policy-scorer.ts";
import { createPpoGraph, differentiate } from "./ppo-graph.ts";
import { batchMetrics, mean, policyChange } from "./ppo-metrics.ts";
import type { Rollout } from "./rollout.ts";
import { loadRolloutReward } from "./rollout-reward.ts";
import { rewardScale } from "./token-rewards.ts";
import { fitValueHead } from "./value-head.ts";

/** Rewards that differ by less are the same for all that matters. */
const leastRewardDeviation = 1e-6;
/** Replies that the KL of the finished adapter is measured on. */
const repliesAtEnd = 128;

interface PpoProgress {
  /** Rounds done, and batches of the next one. */
  round: number;
  batch: number;
  /** Optimizer steps done, of the policy and of the value head. */
  updates: number;
  valueUpdates: number;
  klCoefficient: number;
  lastMetrics: Record<string, number>;
}

function nothingLearned(replies: readonly Rollout[]): TrainerError {
  if (replies.every(({ reward }) => reward === replies[0]?.reward)) {
    return new TrainerError("no_signal", `all ${replies.length} replies have the same reward, ${replies[0]?.reward}`);
  }
  const why = "what was logged is too far from what this model and adapter would say";
  return new TrainerError("too_few_exchanges", `no reply could be trained on: ${why}`);
}

/**
 * Runs, or goes on from the checkpoint of the last finished batch in the job's folder.
 *
 * @param loadReward for fresh rollouts
 * @returns false when the signal came before the end; started again, the run comes to the same bits
 * @throws TrainerError when it cannot go on; the adapter it started from is never touched
 */
export async function ppo(
  job: TrainingJob,
  reporter: RunReporter,
  signal: AbortSignal,
  loadReward = loadRolloutReward,
): Promise<boolean> {
  const settings: PpoSettings = { ...defaultPpoSettings, ...job.settings };
  const { rollouts = { source: "log" } } = job;
  const { threads, outputDir: folder } = job;
  const { maxTokensPerPass } = settings;
  const base = await openTrainedBase(job.model, job, settings.gradients);
  const { architecture } = base;
  const reference = startingAdapter(job, architecture, settings);
  const source =
    rollouts.source === "log"
      ? loggedRollouts(job, base, settings)
      : await freshRollouts(job, rollouts, base, settings, loadReward);
  const stepsPerRound = stepsOf(source.repliesPerRound, settings);
  const steps = source.rounds * stepsPerRound;

  const learner = createLearner(reference, architecture.hiddenSize);
  const tensors = learnerTensors(learner);
  const checkpointPath = join(folder, "checkpoint.safetensors");
  const { klCoefficient } = settings;
  const fresh: PpoProgress = { round: 0, batch: 0, updates: 0, valueUpdates: 0, klCoefficient, lastMetrics: {} };
  const progress = loadRunCheckpoint<PpoProgress>(checkpointPath, tensors) ?? fresh;
  reporter.started({ exchanges: source.exchanges, discarded: source.discarded, steps });

  const scorer = await createPolicyScorer(base, reference, { threads });
  const graph = await createPpoGraph(base, reference.shape, { ...fixedPpoSettings, ...settings, threads });
  let replies: Rollout[] = [];
  try {
    for (; progress.round < source.rounds; progress.round++, progress.batch = 0) {
      const { round } = progress;
      const found = await source.round(round, learner.policy, { hasBegun: progress.batch > 0, signal });
      if (found === null) return false;
      if (found.length > 0) replies = found;
      const rewards = found.map(({ reward }) => reward);
      const scale = rewardScale(rewards);
      const batches = scale.deviation > leastRewardDeviation ? batchesOf(found, round, settings) : [];

      for (; progress.batch < batches.length; saveRunCheckpoint(checkpointPath, tensors, progress)) {
        const batch = batches[progress.batch] as Rollout[];
        let step = round * stepsPerRound + progress.batch * settings.epochs * settings.minibatchesPerBatch;

        // Old log-probs are computed anew for each batch, as the policy has moved; then what each token was worth.
        const scored = await scoreReplies(scorer, learner.policy, batch, maxTokensPerPass);
        const { kept, rejected } = splitByDistance(scored, settings.maxSequenceLogRatio);
        const options = { ...fixedPpoSettings, ...settings, rewardScale: scale, klCoefficient: progress.klCoefficient };
        if (progress.valueUpdates === 0 && kept.length > 0) {
          // The actor stands still until the critic has a first idea: the plain rewards to come (lambda 1, values 0).
          const targets = valueTargets(kept, learner.head, { ...options, lambda: 1 });
          const { valueWarmupSteps, valueLearningRate, maxGradientNorm } = settings;
          await fitValueHead(learner.head, learner.headMoments, targets, {
            steps: valueWarmupSteps,
            learningRate: valueLearningRate,
            threads,
            maxGradientNorm,
          });
          progress.valueUpdates = valueWarmupSteps;
        }
        const experiences = toExperience(kept, learner.head, options);
        const always = {
          round: round + 1,
          rewardMean: mean(rewards),
          klCoefficient: progress.klCoefficient,
          rejectedReplies: rejected,
        };
        const measured = { ...always, ...batchMetrics(experiences, settings.maxImportanceWeight) };
        // Without steps, but not without a word: the curve is to say why it has a gap.
        if (kept.length === 0) reporter.metric({ step: step + 1, steps, values: always });

        for (const minibatch of minibatchesOf(experiences, progress, settings)) {
          if (signal.aborted) return false;
          step += 1;
          const began = performance.now();
          const pass = await differentiate(graph, learner, minibatch, maxTokensPerPass);
          const { tokens, entropy, policyLoss: loss, valueLoss } = pass;
          const rows = minibatch.map(({ reply, ...arrays }) => ({ ...reply, ...arrays }));
          const gradients = new Map([...pass.loraGradients, ...pass.valueGradients]);
          refuseNonFinite({ losses: { "policy loss": loss, "value loss": valueLoss }, gradients }, rows, {
            step,
            folder,
          });
          const change = policyChange(minibatch, pass, options);
          if (change.approxKl > settings.earlyStopKl) break;
          const factor = learningRateFactor(step - 1, steps, settings.warmupSteps, settings.decay);
          const learningRate = settings.learningRate * factor;
          const gradientNorm = improve(learner, pass, progress, learningRate, settings);

          progress.lastMetrics = {
            ...measured,
            ...change,
            loss,
            valueLoss,
            entropy,
            gradientNorm,
            learningRate,
            tokens,
          };
          const tokensPerSecond = (1000 * tokens) / (performance.now() - began);
          reporter.trained({ step, exchanges: minibatch.flatMap(({ reply }) => reply.exchange ?? []) });
          reporter.metric({ step, steps, values: { ...progress.lastMetrics, tokensPerSecond } });
        }

        progress.klCoefficient = nextKlCoefficient(progress.klCoefficient, measured.klReference, kept.length, {
          target: settings.klTarget,
          horizon: settings.klHorizon,
        });
        progress.batch += 1;
      }
    }
    if (progress.updates === 0) throw nothingLearned(replies);

    const klReference = await meanReferenceKl(scorer, learner.policy, replies.slice(-repliesAtEnd), maxTokensPerPass);
    const metrics = { ...progress.lastMetrics, klReference, updates: progress.updates };
    const adapterFolder = join(folder, "adapter");
    const sha256 = writeAdapterFolder(adapterFolder, learner.policy, base, {
      name: "rejoinder",
      version: job.version,
      parent: parentOf(job),
      run: job.runId,
      rewardVersion: job.rewardVersion,
      metrics,
      probe: await probeOf(scorer, learner.policy, replies[0] as Rollout),
    });
    reporter.succeeded({ adapterFolder, sha256, metrics });
    return true;
  } finally {
    await Promise.all([graph.dispose(), scorer.dispose(), source.dispose()]);
  }
}
