/**
 * Replies of the policy as it is now, by the engine that serves. In this thread and with all requests handed in before the
 * first step, so that batches form in the same way each time: the same policy, requests and seeds give the same bits.
 */
import type { BaseModel } from "../../engine/checkpoint/base-model.ts";
import { flattenAdapter } from "../../engine/generation/adapter-stack.ts";
import type { ReplyVocabulary } from "../../engine/generation/reply.ts";
import { Scheduler } from "../../engine/generation/scheduler.ts";
import { StepModel } from "../../engine/generation/step-model.ts";
import type { LoraAdapter } from "../../engine/lora/adapter.ts";
import type { GenerationResult } from "../../engine/types.ts";

/** More rows at once hardly speed up a step, and the last of them wait for the longest. */
const mostAtOnce = 64;

export interface SampleRequest {
  promptTokens: readonly number[];
  maxTokens: number;
  temperature: number;
  seed: number;
}

export interface PolicySampler {
  /** One reply a request, in order; null when the signal came first. */
  sample(
    policy: LoraAdapter,
    requests: readonly SampleRequest[],
    signal: AbortSignal,
  ): Promise<GenerationResult[] | null>;
  dispose(): Promise<void>;
}

/** @param options.maxTokensPerPass bounds the tokens whose keys and values are held at once */
export async function createPolicySampler(
  base: BaseModel,
  vocabulary: ReplyVocabulary,
  options: { threads: number; maxTokensPerPass: number },
): Promise<PolicySampler> {
  const model = await StepModel.create(base, { threads: options.threads, goal: "throughput" });
  let calls = 0;
  return {
    async sample(policy, requests, signal) {
      const results = new Map<number, GenerationResult>();
      const failures: unknown[] = [];
      const longest = Math.max(...requests.map(({ promptTokens, maxTokens }) => promptTokens.length + maxTokens));
      const scheduler = new Scheduler(model, vocabulary, {
        maxConcurrent: Math.max(1, Math.min(mostAtOnce, Math.floor(options.maxTokensPerPass / longest))),
        maxQueue: requests.length,
        prefixBytes: 0,
        goal: "throughput",
        emit: (event) => {
          if ("result" in event) results.set(event.id, event.result);
          if ("error" in event) failures.push(event.error);
        },
      });
      // Another name each time: what the step model remembers of an adapter goes by it.
      const sha256 = `policy ${calls++}`;
      const matrices = flattenAdapter(policy, base.architecture.linearModules);
      await scheduler.addAdapter({ sha256, rank: policy.shape.rank, matrices });
      for (const [id, { promptTokens, maxTokens, temperature, seed }] of requests.entries()) {
        // Nothing is truncated: what is sampled from is softmax(logits / temperature), which is what is trained.
        const sampling = { temperature, topK: 0, topP: 1, repetitionPenalty: 1, seed };
        scheduler.submit(id, { promptTokens, adapter: sha256, sampling, maxTokens, stop: [] });
      }
      while (await scheduler.advance()) {
        if (signal.aborted) return null;
      }
      if (failures.length > 0) throw failures[0];
      await scheduler.removeAdapter(sha256);
      return requests.map((_, id) => results.get(id) as GenerationResult);
    },
    dispose: () => model.dispose(),
  };
}
