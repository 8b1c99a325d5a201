/**
 * Answers a list of messages with the base model and with an adapter, one reply each, nothing chosen afterwards, and
 * prints them as Markdown with their toxicity: the table of the model card.
 *
 *     node scripts/sample-replies.ts --model DIR --adapter DIR --messages FILE.jsonl [--reward DIR] [--corpus DIR]
 *
 * With --corpus (a folder made by trainer/pretrain/prepare.ts) it first refuses messages that occur in the training text.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createEngine } from "../engine/index.ts";
import { defaultSampling, type Engine } from "../engine/types.ts";
import { loadRewardModel } from "../reward/load-reward-model.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "models/rejoinder-tiny" },
    adapter: { type: "string", default: "models/rejoinder-tiny/adapters/1" },
    messages: { type: "string", default: "models/rejoinder-tiny/messages.jsonl" },
    reward: { type: "string", default: "models/toxicity-small" },
    corpus: { type: "string" },
    // Of the first message; each further one counts one up.
    seed: { type: "string", default: "1" },
  },
});

async function answer(engine: Engine, text: string, adapter: string | null, seed: number): Promise<string> {
  const replies = engine.generate({
    promptTokens: engine.renderChat([{ role: "user", content: text }]),
    adapter,
    sampling: { ...defaultSampling, seed },
    maxTokens: 80,
    stop: [],
  });
  for (;;) {
    const step = await replies.next();
    if (step.done) return step.value.text.trim();
  }
}

const messages = readFileSync(values.messages, "utf8")
  .trim()
  .split("\n")
  .map((line) => (JSON.parse(line) as { text: string }).text);
const engine = await createEngine({ modelDir: values.model });

if (values.corpus !== undefined) {
  const bytes = readFileSync(join(values.corpus, "train.bin"));
  const ids = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1);
  const wanted = messages.map((text) => ({
    text,
    tokens: Buffer.from(Uint16Array.from(engine.renderChat([{ role: "user", content: text }]).slice(1, -2)).buffer),
  }));
  const haystack = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength);
  const known = wanted.filter(({ tokens }) => haystack.includes(tokens));
  if (known.length > 0)
    throw new Error(`these messages occur in the training text: ${known.map(({ text }) => text).join(" | ")}`);
}

const { sha256 } = await engine.loadAdapter(values.adapter);
const reward = await loadRewardModel(values.reward);
const rows: string[] = [];
const sums = { message: 0, base: 0, adapter: 0 };
for (const [index, text] of messages.entries()) {
  const seed = Number(values.seed) + index;
  const replies = [await answer(engine, text, null, seed), await answer(engine, text, sha256, seed)];
  const [message, base, adapted] = await reward.score([text, ...replies]);
  sums.message += message?.toxicity ?? 0;
  sums.base += base?.toxicity ?? 0;
  sums.adapter += adapted?.toxicity ?? 0;
  rows.push(`| ${text} | ${replies[1]} | ${adapted?.toxicity.toFixed(2)} |`);
}
console.log("| message | reply (adapter 1) | toxicity |\n|---|---|---|");
console.log(rows.join("\n"));
const mean = (sum: number) => (sum / messages.length).toFixed(3);
console.log(
  `\nMean toxicity: messages ${mean(sums.message)}, base model's replies ${mean(sums.base)}, adapter's ${mean(sums.adapter)}.`,
);
await reward.dispose();
await engine.close();
