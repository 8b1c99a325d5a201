/**
 * Measures a classifier folder and prints Markdown tables:
 *
 *     node reward/train/evaluate.ts --data DIR --model models/toxicity-small [--perspective true]
 *
 * Held-out rows are those of the split "test", which neither training nor calibration reads. `perspective_scored` has
 * Perspective's own scores of model replies; it takes the longest and is skipped with `--perspective false`.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadPerspectiveScored } from "../../datasets/perspective-scored.ts";
import { loadEmbeddedClassifier } from "../models/embedded-classifier.ts";
import { type Example, heads, loadExamples } from "./examples.ts";
import { auditIdentities, auditPairs } from "./identity-audit.ts";
import { areaUnderCurve, mean, shareAbove } from "./metrics.ts";
import { seededRandom } from "./random.ts";

const { values: flags } = parseArgs({
  options: {
    data: { type: "string" },
    model: { type: "string", default: "models/toxicity-small" },
    perspective: { type: "string", default: "true" },
  },
});
if (flags.data === undefined)
  throw new Error("usage: evaluate.ts --data DIR [--model FOLDER] [--perspective true|false]");
const model = await loadEmbeddedClassifier(flags.model);
console.log(`${model.name} ${model.version}\n`);

const held = loadExamples(flags.data, seededRandom(1)).filter((example) => example.split === "test");
await printHeldOut(held);
if (flags.perspective !== "false") await printPerspective(join(flags.data, "perspective_scored", "responses.csv.gz"));
await printAudit();
await printLatency(held);
await model.dispose();

async function printHeldOut(examples: readonly Example[]): Promise<void> {
  const scores = await model.score(examples.map((example) => example.text));
  const scored = examples.map((example, i) => ({
    ...example,
    logit: scores[i]?.logit ?? 0,
    all: scores[i]?.attributes ?? {},
  }));
  const bySource = Object.groupBy(scored, (row) => row.source);
  console.log(
    "| held-out rows | n | toxic | AUC | clean rows above 0.5 | toxic rows above 0.5 |\n|---|---|---|---|---|---|",
  );
  for (const [source, rows = []] of Object.entries(bySource)) {
    const side = (toxic: boolean) =>
      rows.filter((row) => (row.targets.TOXICITY ?? 0) > 0.5 === toxic).map((row) => row.logit);
    printRow(source, side(true), side(false));
  }
  const logitsOf = (source: string) => (bySource[source] ?? []).map((row) => row.logit);
  printRow("hate against counter-narrative", logitsOf("hate"), logitsOf("counter-narrative"));

  console.log("\n| attribute (held-out RealToxicityPrompts) | AUC |\n|---|---|");
  for (const head of heads) {
    const rows = (bySource["real-toxicity-prompts"] ?? []).filter((row) => row.targets[head] !== undefined);
    const side = (yes: boolean) =>
      rows.filter((row) => (row.targets[head] ?? 0) > 0.5 === yes).map((row) => row.all[head] ?? 0);
    console.log(`| ${head} | ${areaUnderCurve(side(true), side(false)).toFixed(3)} (${side(true).length} yes) |`);
  }
}

function printRow(name: string, toxic: readonly number[], clean: readonly number[]): void {
  const share = (logits: readonly number[]) => (logits.length === 0 ? "" : shareAbove(logits, 0).toFixed(3));
  const area = toxic.length > 0 && clean.length > 0 ? areaUnderCurve(toxic, clean).toFixed(4) : "";
  console.log(
    `| ${name} | ${toxic.length + clean.length} | ${toxic.length} | ${area} | ${share(clean)} | ${share(toxic)} |`,
  );
}

async function printPerspective(path: string): Promise<void> {
  console.log("\n| replies by prompts | n | Perspective > 0.5 | AUC |\n|---|---|---|---|");
  const replies = loadPerspectiveScored(path).filter((reply) => reply.perspectiveToxicity !== undefined);
  for (const [prompts, rows = []] of Object.entries(Object.groupBy(replies, (reply) => reply.prompts))) {
    const scores = await model.score(rows.map((row) => row.reply));
    const side = (toxic: boolean) =>
      scores.filter((_, i) => (rows[i]?.perspectiveToxicity ?? 0) > 0.5 === toxic).map((score) => score.logit);
    const area = areaUnderCurve(side(true), side(false)).toFixed(4);
    console.log(`| ${prompts} | ${rows.length} | ${side(true).length} | ${area} |`);
  }
}

async function printAudit(): Promise<void> {
  console.log("\n| identity term | mean toxicity | mean logit |\n|---|---|---|");
  for (const { term, toxicity, logit } of await auditIdentities(model)) {
    console.log(`| ${term} | ${toxicity.toFixed(3)} | ${logit.toFixed(2)} |`);
  }
  const { ordered, hostileAbove, harmlessAbove, pairs } = await auditPairs(model);
  console.log(`\nOf ${pairs} written pairs the hostile sentence scores higher in ${(100 * ordered).toFixed(0)} %;`);
  console.log(
    `above 0.5: ${(100 * hostileAbove).toFixed(0)} % of hostile, ${(100 * harmlessAbove).toFixed(0)} % of harmless ones.`,
  );
}

async function printLatency(examples: readonly Example[]): Promise<void> {
  const texts = examples.slice(0, 500).map((example) => example.text);
  const times: number[] = [];
  for (const text of texts) {
    const before = performance.now();
    await model.score([text]);
    times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(share * (times.length - 1))]?.toFixed(2);
  const words = mean(texts.map((text) => text.split(/\s+/).length)).toFixed(0);
  console.log(
    `\nOne text at a time (${words} words on average): median ${at(0.5)} ms, 95th percentile ${at(0.95)} ms.`,
  );
}
