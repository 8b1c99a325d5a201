/**
 * PPO on logged exchanges, from snapshot to adapter.
 *
 * Differences from the textbook (Schulman et al. 2017; Ouyang et al. 2022):
 * - Replies come from a log, not from fresh rollouts. Three policies are told apart: the one that wrote a reply
 *   (behaviour), the one at the beginning of a batch (old) and the one being trained (current).
 * - The policy that is trained is the one that speaks: softmax(logits / temperature) at each reply's own temperature.
 *   Truncation by top-p or top-k and repetition penalties are not modelled; see importance-weights.ts.
 * - The reference of the KL penalty is the adapter that the run continues from, frozen (the base model when there is
 *   none), so the anchor moves on from run to run.
 * - Rewards are standardized over the snapshot, so that settings fit any reward model.
 * - The KL that is reported and steers its coefficient is exact at each logged context, not estimated from tokens.
 * - The critic is linear on the policy's hidden states, which it does not change.
 * - A reply cut by a length limit counts as ended, with a penalty.
 */
import { join } from "node:path";
import { openBaseModel } from "../../engine/open-base-model.ts";
import { probeOf, writeAdapterFolder } from "../adapter-folder.ts";
import { loadRunCheckpoint, saveRunCheckpoint } from "../checkpoint/run-checkpoint.ts";
import type { PpoSettings, TrainingJob } from "../contract.ts";
import { parentOf, startingAdapter } from "../parent-adapter.ts";
import type { RunReporter } from "../run-reporter.ts";
import { TrainerError } from "../trainer-error.ts";
import { batchesOf, minibatchesOf, stepsOf } from "./batches.ts";
import { defaultPpoSettings, fixedPpoSettings } from "./default-settings.ts";
import { meanReferenceKl, scoreReplies, splitByDistance, toExperience, valueTargets } from "./experience.ts";
import { nextKlCoefficient } from "./kl-controller.ts";
import { createLearner, improve, learnerTensors } from "./learner.ts";
import { refuseNonFinite } from "./non-finite.ts";
import { createPolicyScorer } from "./policy-scorer.ts";
import { createPpoGraph, differentiate } from "./ppo-graph.ts";
import { batchMetrics, mean, policyChange } from "./ppo-metrics.ts";
import { type LoggedReply, readSnapshot } from "./snapshot.ts";
import { rewardScale } from "./token-rewards.ts";
import { fitValueHead } from "./value-head.ts";

/** Fewer replies than this teach nothing but noise. */
const fewestReplies = 4;
/** Rewards that differ by less are the same for all that matters. */
const leastRewardDeviation = 1e-6;
/** Replies that the KL of the finished adapter is measured on. */
const repliesAtEnd = 128;

interface PpoProgress {
  /** Batches done. */
  batch: number;
  /** Optimizer steps done, of the policy and of the value head. */
  updates: number;
  valueUpdates: number;
  klCoefficient: number;
  lastMetrics: Record<string, number>;
}

/**
 * Runs, or goes on from the checkpoint of the last finished batch in the job's folder.
 *
 * @returns false when the signal came before the end; started again, the run comes to the same bits
 * @throws TrainerError when it cannot go on; the adapter it started from is never touched
 */
export async function ppo(job: TrainingJob, reporter: RunReporter, signal: AbortSignal): Promise<boolean> {
  const settings: PpoSettings = { ...defaultPpoSettings, ...job.settings };
  const { threads, outputDir: folder } = job;
  const base = await openBaseModel(job.model, job);
  const { architecture } = base;

  const { replies, discarded } = readSnapshot(job.snapshot, {
    version: job.parentAdapter?.version ?? 0,
    maxStaleness: settings.maxStaleness,
    baseSha256: base.sha256,
    vocabularySize: architecture.vocabularySize,
    contextLength: architecture.contextLength,
  });
  if (replies.length < fewestReplies) {
    const reasons = Object.entries(discarded).map(([reason, count]) => `, ${count} left out (${reason})`);
    throw new TrainerError("too_few_exchanges", `only ${replies.length} replies to train on${reasons.join("")}`);
  }
  const rewards = replies.map(({ reward }) => reward);
  const scale = rewardScale(rewards);
  if (!(scale.deviation > leastRewardDeviation)) {
    throw new TrainerError("no_signal", `all ${replies.length} replies have the same reward, ${scale.mean}`);
  }
  const batches = batchesOf(replies, settings);
  const steps = batches.reduce((sum, batch) => sum + stepsOf(batch.length, settings), 0);

  const reference = startingAdapter(job, architecture, settings);
  const learner = createLearner(reference, architecture.hiddenSize);
  const tensors = learnerTensors(learner);
  const checkpointPath = join(folder, "checkpoint.safetensors");
  const { klCoefficient } = settings;
  const fresh: PpoProgress = { batch: 0, updates: 0, valueUpdates: 0, klCoefficient, lastMetrics: {} };
  const progress = loadRunCheckpoint<PpoProgress>(checkpointPath, tensors) ?? fresh;
  reporter.started({ exchanges: replies.length, discarded, steps });

  const scorer = await createPolicyScorer(base, reference, { threads });
  const graph = await createPpoGraph(base, reference.shape, { ...fixedPpoSettings, ...settings, threads });
  try {
    for (; progress.batch < batches.length; saveRunCheckpoint(checkpointPath, tensors, progress)) {
      const batch = batches[progress.batch] as LoggedReply[];
      let step = batches.slice(0, progress.batch).reduce((sum, { length }) => sum + stepsOf(length, settings), 0);

      // Old log-probs are computed anew for each batch, as the policy has moved; then what each token was worth.
      const scored = await scoreReplies(scorer, learner.policy, batch);
      const { kept, rejected } = splitByDistance(scored, fixedPpoSettings.maxSequenceLogRatio);
      const options = { ...fixedPpoSettings, ...settings, rewardScale: scale, klCoefficient: progress.klCoefficient };
      if (progress.valueUpdates === 0 && kept.length > 0) {
        // The actor stands still until the critic has a first idea: the plain rewards to come (lambda 1, values 0).
        const targets = valueTargets(kept, learner.head, { ...options, lambda: 1 });
        const { valueWarmupSteps, maxGradientNorm } = settings;
        await fitValueHead(learner.head, learner.headMoments, targets, {
          steps: valueWarmupSteps,
          threads,
          maxGradientNorm,
        });
        progress.valueUpdates = settings.valueWarmupSteps;
      }
      const experiences = toExperience(kept, learner.head, options);
      const measured = {
        rewardMean: mean(rewards),
        ...batchMetrics(experiences, settings.maxImportanceWeight),
        klCoefficient: progress.klCoefficient,
        rejectedReplies: rejected,
      };

      for (const minibatch of minibatchesOf(experiences, progress.batch, settings)) {
        if (signal.aborted) return false;
        step += 1;
        const began = performance.now();
        const pass = await differentiate(graph, learner, minibatch);
        refuseNonFinite(pass, minibatch, { step, folder });
        const change = policyChange(minibatch, pass, options);
        if (change.approxKl > settings.earlyStopKl) break;
        const gradientNorm = improve(learner, pass, progress, settings);

        const { tokens, entropy, policyLoss: loss, valueLoss } = pass;
        progress.lastMetrics = { ...measured, ...change, loss, valueLoss, entropy, gradientNorm, tokens };
        const tokensPerSecond = (1000 * tokens) / (performance.now() - began);
        reporter.metric({ step, steps, values: { ...progress.lastMetrics, tokensPerSecond } });
      }

      progress.klCoefficient = nextKlCoefficient(progress.klCoefficient, measured.klReference, kept.length, {
        target: settings.klTarget,
        horizon: settings.klHorizon,
      });
      progress.batch += 1;
    }
    if (progress.updates === 0) {
      const why = "what was logged is too far from what this model and adapter would say";
      throw new TrainerError("too_few_exchanges", `no reply could be trained on: ${why}`);
    }

    const klReference = await meanReferenceKl(scorer, learner.policy, replies.slice(-repliesAtEnd));
    const metrics = { ...progress.lastMetrics, klReference, updates: progress.updates };
    const adapterFolder = join(folder, "adapter");
    const sha256 = writeAdapterFolder(adapterFolder, learner.policy, base, {
      name: "rejoinder",
      version: job.version,
      parent: parentOf(job),
      run: job.runId,
      rewardVersion: job.rewardVersion,
      metrics,
      probe: await probeOf(scorer, learner.policy, replies[0] as LoggedReply),
    });
    reporter.succeeded({ adapterFolder, sha256, metrics });
    return true;
  } finally {
    await Promise.all([graph.dispose(), scorer.dispose()]);
  }
}
