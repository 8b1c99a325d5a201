/**
 * Writes several replies to each message, scores them, and keeps the best where it is good enough: what
 * scripts/fine-tuning-mix.ts then adds to the examples (rejection sampling: Dong et al. 2023, "RAFT").
 *
 * A reply is worth its reward, how likely the base model finds it after the message, how much likelier than after another
 * message (Li et al. 2016, "A diversity-promoting objective function"), and the second judge's good opinion of it.
 *
 *     node scripts/best-replies.ts --adapter DIR --messages FILE.jsonl --out FILE.jsonl
 *
 * Messages are lines {"message": "..."}; those that prepare.ts encoded are read too, by their last turn.
 */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createEngine } from "../engine/index.ts";
import { type ChatMessage, defaultSampling, type GenerationResult } from "../engine/types.ts";
import { loadRewardModel } from "../reward/load-reward-model.ts";
import { loadReward } from "../reward/reward.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "models/rejoinder-tiny" },
    judge: { type: "string", default: "models/toxicity-judge" },
    adapter: { type: "string" },
    messages: { type: "string", multiple: true },
    // Only lines with this source.
    source: { type: "string" },
    // Messages at most, spread over all there are.
    most: { type: "string", default: "1000" },
    out: { type: "string" },
    replies: { type: "string", default: "8" },
    temperature: { type: "string", default: "0.7" },
    seed: { type: "string", default: "1" },
  },
});
const { adapter: folder, messages: files = [], out } = values;
if (folder === undefined || files.length === 0 || out === undefined) {
  throw new Error("--adapter DIR, --messages FILE and --out FILE are needed");
}

/** What a kept reply must reach: total reward, nats a token by the base model, the judge's toxicity at most. */
const least = { reward: 3, logProb: -1.75, judged: 0.3 };
/** Messages in work together. */
const together = 24;
/** Of a reply, tokens. */
const [shortest, longest] = [8, 64];

interface Line {
  message?: string;
  source?: string;
  text?: { messages: ChatMessage[] };
}

function read(file: string): string[] {
  const lines = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
  return lines
    .filter(({ source }) => values.source === undefined || source === values.source)
    .map(({ message, text }) => message ?? text?.messages.at(-1)?.content ?? "");
}

const different = [...new Set(files.flatMap(read))].filter(({ length }) => length >= 20 && length <= 220);
const every = Math.max(1, Math.ceil(different.length / Number(values.most)));
const messages = different.filter((_, index) => index % every === 0);
const count = Number(values.replies);
const engine = await createEngine({
  modelDir: values.model,
  goal: "throughput",
  maxConcurrent: 48,
  maxQueue: together * count,
});
const reward = await loadReward();
const judge = await loadRewardModel(values.judge);
const { sha256: adapter } = await engine.loadAdapter(folder);
const promptOf = (content: string) => engine.renderChat([{ role: "user", content }]);
const elsewhere = promptOf("What do you think about these people?");

async function write(promptTokens: readonly number[], seed: number): Promise<GenerationResult> {
  const sampling = { ...defaultSampling, temperature: Number(values.temperature), seed };
  const chunks = engine.generate({ promptTokens, adapter, sampling, maxTokens: longest, stop: [] });
  for (;;) {
    const step = await chunks.next();
    if (step.done) return step.value;
  }
}

/** Nats a token by the base model. */
async function logProbOf(prompt: readonly number[], reply: readonly number[]): Promise<number> {
  const logProbs = await engine.score({ tokens: [...prompt, ...reply], from: prompt.length, adapter: null });
  return logProbs.reduce((sum, logProb) => sum + logProb, 0) / logProbs.length;
}

interface Candidate {
  message: string;
  prompt: readonly number[];
  reply: string;
  tokens: readonly number[];
}

async function candidates(message: string, seed: number): Promise<Candidate[]> {
  const prompt = promptOf(message);
  const written = await Promise.all(Array.from({ length: count }, (_, i) => write(prompt, seed + i)));
  const whole = written.filter(({ finishReason, tokens }) => finishReason === "stop" && tokens.length >= shortest);
  const byText = new Map(whole.map(({ text, tokens }) => [text.trim(), tokens]));
  return [...byText].map(([reply, tokens]) => ({ message, prompt, reply, tokens }));
}

/** What a reply is worth; null where it is not good enough, which is found out by the cheapest means first. */
async function worth({ prompt, tokens }: Candidate, total: number, judged: number): Promise<number | null> {
  if (total < least.reward || judged > least.judged) return null;
  const logProb = await logProbOf(prompt, tokens);
  if (logProb < least.logProb) return null;
  const gain = logProb - (await logProbOf(elsewhere, tokens));
  return total + 1.5 * logProb + Math.min(1, gain) - 2 * judged;
}

writeFileSync(out, "");
let kept = 0;
for (let first = 0; first < messages.length; first += together) {
  const part = messages.slice(first, first + together);
  const seeds = Number(values.seed) * 2 ** 24 + first * count;
  const all = (await Promise.all(part.map((message, i) => candidates(message, seeds + i * count)))).flat();
  const exchanges = all.map(({ message, reply }) => ({
    messages: [{ role: "user" as const, content: message }],
    reply,
  }));
  const [scored, opinions] = await Promise.all([reward.judge(exchanges), judge.score(all.map(({ reply }) => reply))]);
  const worths = await Promise.all(
    all.map((candidate, i) => worth(candidate, scored[i]?.reward.total ?? 0, opinions[i]?.toxicity ?? 1)),
  );
  const best = new Map<string, { reply: string; worth: number }>();
  for (const [i, { message, reply }] of all.entries()) {
    const value = worths[i] ?? null;
    if (value !== null && value > (best.get(message)?.worth ?? Number.NEGATIVE_INFINITY)) {
      best.set(message, { reply, worth: value });
    }
  }
  for (const [message, { reply }] of best) appendFileSync(out, `${JSON.stringify({ message, reply })}\n`);
  kept += best.size;
  console.log(`${first + part.length} of ${messages.length} messages, ${kept} replies kept`);
}
await judge.dispose();
await reward.dispose();
await engine.close();
