/** `large-model-process.ts FOLDER PRECISION`: serves a model, answers once, and prints what that took as JSON. */
import { readFileSync } from "node:fs";
import { createEngine } from "../engine/index.ts";
import type { ModelInfo } from "../engine/types.ts";

const [modelDir = "", quantization] = process.argv.slice(2);
const began = performance.now();
const engine = await createEngine({
  modelDir,
  quantization: quantization as ModelInfo["quantization"],
  maxConcurrent: 1,
});
const readySeconds = (performance.now() - began) / 1000;
const steps = engine.generate({
  promptTokens: engine.renderChat([{ role: "user", content: "Why should they live here?" }]),
  adapter: null,
  sampling: { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 },
  maxTokens: 17,
  stop: [],
});
const arrivals: number[] = [];
for await (const _ of steps) arrivals.push(performance.now());
const [first = 0, last = 0] = [arrivals[0], arrivals.at(-1)];
const anonymousBytes = 1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
await engine.close();
process.stdout.write(
  JSON.stringify({ readySeconds, anonymousBytes, tokensPerSecond: (1000 * (arrivals.length - 1)) / (last - first) }),
);
