/**
 * Writes several replies to each message, scores them, and keeps the best where it is good enough: what
 * scripts/fine-tuning-mix.ts then adds to the examples (rejection sampling: Dong et al. 2023, "RAFT").
 *
 * A reply is worth its reward, how likely the base model finds it after the message, how much likelier than after another
 * message (Li et al. 2016, "A diversity-promoting objective function"), and the second judge's good opinion of it.
 *
 *     node scripts/best-replies.ts --adapter DIR --messages FILE.jsonl --out FILE.jsonl
 *
 * Messages are lines {"message": "..."}; those that prepare.ts encoded are read too where nothing was said before them.
 */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createEngine } from "../engine/index.ts";
import { type ChatMessage, defaultSampling, type GenerationResult, type ModelInfo } from "../engine/types.ts";
import { loadRewardModel } from "../reward/load-reward-model.ts";
import { loadReward } from "../reward/reward.ts";

const { values } = parseArgs({
  options: {
    // Whatever writes: the embedded model itself, or a larger one that it is to learn from.
    model: { type: "string", default: "models/rejoinder-tiny" },
    quantization: { type: "string", default: "none" },
    judge: { type: "string", default: "models/toxicity-judge" },
    adapter: { type: "string" },
    messages: { type: "string", multiple: true },
    // Only lines with this source.
    source: { type: "string" },
    // Messages at most, spread over all there are.
    most: { type: "string", default: "1000" },
    out: { type: "string" },
    replies: { type: "string", default: "8" },
    // Of a message's replies, those whose likelihood is asked for, the best by the other measures first.
    likeliest: { type: "string", default: "8" },
    // Nats a token by the base model that a kept reply must reach; another model's numbers are others.
    "least-log-prob": { type: "string", default: "-1.75" },
    temperature: { type: "string", default: "0.7" },
    seed: { type: "string", default: "1" },
  },
});
const { adapter: folder, messages: files = [], out } = values;
if (folder === undefined || files.length === 0 || out === undefined) {
  throw new Error("--adapter DIR, --messages FILE and --out FILE are needed");
}

/** What a kept reply must reach: total reward, nats a token by the base model, the judge's toxicity at most. */
const least = { reward: 3, logProb: Number(values["least-log-prob"]), judged: 0.3 };
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
    .map(({ message, text }) => message ?? (text?.messages.length === 1 ? text.messages[0]?.content : undefined) ?? "");
}

const different = [...new Set(files.flatMap(read))].filter(({ length }) => length >= 20 && length <= 220);
const every = Math.max(1, Math.ceil(different.length / Number(values.most)));
const messages = different.filter((_, index) => index % every === 0);
const count = Number(values.replies);
/** Messages in work together: enough for all places to be taken most of the time. */
const together = Math.ceil(192 / count);
const engine = await createEngine({
  modelDir: values.model,
  quantization: values.quantization as ModelInfo["quantization"],
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

interface Judged extends Candidate {
  total: number;
  judged: number;
}

/** The reply that is worth most, or null where none is good enough. The cheapest measures come first. */
async function best(replies: readonly Judged[]): Promise<string | null> {
  const plain = ({ total, judged }: Judged) => total - 2 * judged;
  const good = replies
    .filter(({ total, judged }) => total >= least.reward && judged <= least.judged)
    .sort((a, b) => plain(b) - plain(a));
  const worths = await Promise.all(
    good.slice(0, Number(values.likeliest)).map(async (one) => {
      const logProb = await logProbOf(one.prompt, one.tokens);
      if (logProb < least.logProb) return Number.NEGATIVE_INFINITY;
      const gain = logProb - (await logProbOf(elsewhere, one.tokens));
      return plain(one) + 1.5 * logProb + Math.min(1, gain);
    }),
  );
  const most = Math.max(...worths);
  return Number.isFinite(most) ? (good[worths.indexOf(most)]?.reply ?? null) : null;
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
  const judged = all.map((candidate, i) => {
    return { ...candidate, total: scored[i]?.reward.total ?? 0, judged: opinions[i]?.toxicity ?? 1 };
  });
  const chosen = await Promise.all(part.map((message) => best(judged.filter((one) => one.message === message))));
  for (const [i, message] of part.entries()) {
    const reply = chosen[i] ?? null;
    if (reply === null) continue;
    appendFileSync(out, `${JSON.stringify({ message, reply })}\n`);
    kept += 1;
  }
  console.log(`${first + part.length} of ${messages.length} messages, ${kept} replies kept`);
}
await judge.dispose();
await reward.dispose();
await engine.close();
