/**
 * Messages that insult whoever reads them, out of ParaDetox: what people write to a chat model beside prejudice, and what
 * counter-narrative data sets have no answers to. Lines {"message": "..."}, for scripts/best-replies.ts.
 *
 *     node scripts/rude-messages.ts --data DIR --out FILE.jsonl
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { joinPunctuation } from "../datasets/clean-text.ts";
import { loadParaDetox } from "../datasets/toxicity.ts";
import { loadRewardModel } from "../reward/load-reward-model.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    out: { type: "string" },
    classifier: { type: "string", default: "models/toxicity-small" },
    // Toxicity from which a message counts as rude.
    least: { type: "string", default: "0.7" },
    most: { type: "string", default: "600" },
  },
});
if (values.data === undefined || values.out === undefined) throw new Error("--data DIR and --out FILE are needed");

const addressed = loadParaDetox(join(values.data, "toxicity", "paradetox.tsv"))
  .map(({ toxic }) => joinPunctuation(toxic))
  .filter((text) => /\b(?:you|your|you're|ur)\b/i.test(text) && text.length >= 20 && text.length <= 120);
const classifier = await loadRewardModel(values.classifier);
const scores = await classifier.score(addressed);
await classifier.dispose();
const rude = addressed.filter((_, i) => (scores[i]?.toxicity ?? 0) >= Number(values.least));
const every = Math.max(1, Math.ceil(rude.length / Number(values.most)));
const messages = rude.filter((_, i) => i % every === 0);
writeFileSync(values.out, messages.map((message) => `${JSON.stringify({ message })}\n`).join(""));
console.log(`${messages.length} of ${rude.length} rude messages`);
