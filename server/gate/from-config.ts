import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultSampling, type Engine } from "../../engine/types.ts";
import type { Config } from "../config.ts";
import { defaultReplyRoom } from "../pipeline/prompt.ts";
import { createGate, type Gate, type GateOptions } from "./run-gate.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The questions that come with the program; GATE_PROMPTS adds to them. */
const shippedPrompts = join(root, "datasets", "gate", "prompts.jsonl");
const shippedSwaps = join(root, "datasets", "gate", "identity-swaps.json");

/** The gate as the settings ask for it: replies are drawn as the chat draws them. */
export function gateFromConfig(
  config: Config,
  { contextLength }: Pick<Engine["model"], "contextLength">,
  parts: Pick<GateOptions, "store" | "registry" | "artifacts" | "rewardVersion" | "runner">,
): Gate {
  return createGate({
    ...parts,
    settings: {
      judge: config.gateJudge,
      reward: config.reward ?? null,
      prompts: [shippedPrompts, ...(config.gatePrompts === undefined ? [] : [config.gatePrompts])],
      swaps: shippedSwaps,
      language: config.gateLanguage,
      sampling: defaultSampling,
      systemPrompt: config.systemPrompt,
      limits: config.gateLimits,
      maxTokens: defaultReplyRoom(contextLength),
      holdoutShare: config.holdoutShare,
    },
    modelFolder: config.modelDir,
    quantization: config.quantization,
    cacheDir: config.cacheDir,
    gateEntry: join(root, "trainer", "gate", "main.ts"),
    threads: config.threads,
  });
}
