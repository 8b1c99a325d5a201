/** What candidate and baseline make of sequences that are already there: exact KL, held-out replies, logged replies. */
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import type { LoraAdapter } from "../../engine/lora/adapter.ts";
import { readPeftAdapter } from "../../engine/lora/peft.ts";
import { openBaseModel } from "../../engine/open-base-model.ts";
import type { GateJob } from "../contract.ts";
import { lengthBuckets } from "../length-buckets.ts";
import type { ScoredSequence } from "../lora-scorer.ts";
import { createPolicyScorer } from "../ppo/policy-scorer.ts";

export interface Likelihood {
  /** Log-prob of the whole reply under the candidate and under the baseline, nats. */
  candidate: number;
  baseline: number;
  /** KL(candidate || baseline) of every next-token distribution on the way, summed, nats. */
  kl: number;
  tokens: number;
}

export interface Likelihoods {
  /** In the order of the sequences. @throws the signal's reason when it aborts */
  of(sequences: readonly ScoredSequence[], signal: AbortSignal): Promise<Likelihood[]>;
  dispose(): Promise<void>;
}

/** The base model as an adapter that touches nothing. */
const noAdapter: LoraAdapter = {
  shape: { rank: 1, alpha: 1, targetModules: [], rankStabilized: false },
  matrices: new Map(),
};

/** Bytes that one tensor of logits may take, and the most padded tokens of a pass: a pass holds half a dozen of them. */
const logitBytes = 2 ** 26;
const mostTokensPerPass = 2048;

const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);

/** @throws CheckpointError when base model or adapter does not fit */
export async function openLikelihoods(job: GateJob): Promise<Likelihoods> {
  const architecture = readArchitecture(job.model);
  const candidate = readPeftAdapter(job.candidate.folder, architecture);
  const baseline = job.baseline === null ? noAdapter : readPeftAdapter(job.baseline.folder, architecture);
  const base = await openBaseModel(job.model, { quantization: job.quantization ?? "none", cacheDir: job.cacheDir });
  const scorer = await createPolicyScorer(base, baseline, { threads: job.threads, shape: candidate.shape });
  const tokensPerPass = Math.max(64, Math.min(mostTokensPerPass, logitBytes / 4 / architecture.vocabularySize));
  return {
    async of(sequences, signal) {
      const found = new Map<ScoredSequence, Likelihood>();
      for (const pass of lengthBuckets(sequences, tokensPerPass, 0)) {
        signal.throwIfAborted();
        const scores = await scorer.score(candidate, pass);
        scores.forEach(({ logProbs, referenceLogProbs, referenceKl }, row) => {
          found.set(pass[row] as ScoredSequence, {
            candidate: sum(logProbs),
            baseline: sum(referenceLogProbs),
            kl: sum(referenceKl),
            tokens: logProbs.length,
          });
        });
      }
      return sequences.map((sequence) => found.get(sequence) as Likelihood);
    },
    dispose: () => scorer.dispose(),
  };
}
