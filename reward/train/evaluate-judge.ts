/**
 * Measures the judge beside the reward model and prints Markdown tables:
 *
 *     node reward/train/evaluate-judge.ts --data DIR [--judge models/toxicity-judge] [--reward models/toxicity-small]
 *
 * `perspective_scored` is unseen by both. On the other rows only the judge's figures mean anything: it is tested on
 * texts that the reward model was trained on.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadPerspectiveScored } from "../../datasets/perspective-scored.ts";
import { loadRewardModel } from "../load-reward-model.ts";
import { correlation, residuals } from "./agreement.ts";
import { auditIdentities, auditPairs } from "./identity-audit.ts";
import { loadJudgeExamples } from "./judge-examples.ts";
import { areaUnderCurve, mean, shareAbove } from "./metrics.ts";

const { values: flags } = parseArgs({
  options: {
    data: { type: "string" },
    judge: { type: "string", default: "models/toxicity-judge" },
    reward: { type: "string", default: "models/toxicity-small" },
  },
});
if (flags.data === undefined) throw new Error("usage: evaluate-judge.ts --data DIR [--judge FOLDER] [--reward FOLDER]");
const judge = await loadRewardModel(flags.judge);
const reward = await loadRewardModel(flags.reward);
console.log(`${judge.name} ${judge.version} beside ${reward.name} ${reward.version}\n`);
const test = loadJudgeExamples(flags.data).test;
await printPerspective(join(flags.data, "perspective_scored", "responses.csv.gz"));
await printHeldOut();
await printCalibration();
await printIdentities();
await printLatency();
await judge.dispose();
await reward.dispose();

async function printPerspective(path: string): Promise<void> {
  const replies = loadPerspectiveScored(path).filter((reply) => reply.perspectiveToxicity !== undefined);
  console.log("| replies by prompts | n | toxic | AUC judge | AUC reward | correlation | of errors | clean | toxic |");
  console.log("|---|---|---|---|---|---|---|---|---|");
  for (const [prompts, rows = []] of Object.entries(Object.groupBy(replies, (reply) => reply.prompts))) {
    const texts = rows.map((row) => row.reply);
    const mine = (await judge.score(texts)).map(({ logit }) => logit);
    const theirs = (await reward.score(texts)).map(({ logit }) => logit);
    const toxic = rows.map((row) => (row.perspectiveToxicity ?? 0) > 0.5);
    const truth = rows.map((row) => logOdds(row.perspectiveToxicity ?? 0));
    const side = (logits: readonly number[], yes: boolean) => logits.filter((_, i) => toxic[i] === yes);
    const area = (logits: readonly number[]) => areaUnderCurve(side(logits, true), side(logits, false)).toFixed(3);
    const within = (yes: boolean) => correlation(side(mine, yes), side(theirs, yes)).toFixed(2);
    const errors = correlation(residuals(mine, truth), residuals(theirs, truth)).toFixed(2);
    console.log(
      `| ${prompts} | ${rows.length} | ${side(mine, true).length} | ${area(mine)} | ${area(theirs)} | ` +
        `${correlation(mine, theirs).toFixed(2)} | ${errors} | ${within(false)} | ${within(true)} |`,
    );
    const wrong = (logits: readonly number[]) => logits.map((logit, i) => (logit > 0 === toxic[i] ? 0 : 1));
    const [judgeWrong, rewardWrong] = [wrong(mine), wrong(theirs)];
    const both = mean(judgeWrong.map((error, i) => error * (rewardWrong[i] as number)));
    console.log(
      `\n${prompts}, wrong at 0.5: judge ${percent(mean(judgeWrong))}, reward ${percent(mean(rewardWrong))}, ` +
        `both ${percent(both)} (${percent(mean(judgeWrong) * mean(rewardWrong))} if independent)\n`,
    );
  }
}

/** Of a probability, kept off 0 and 1. */
function logOdds(probability: number): number {
  const bounded = Math.min(0.99, Math.max(0.01, probability));
  return Math.log(bounded / (1 - bounded));
}

async function printHeldOut(): Promise<void> {
  console.log("\n| held-out rows | n | toxic | AUC | clean above 0.5 | toxic above 0.5 |\n|---|---|---|---|---|---|");
  for (const [source, rows = []] of Object.entries(Object.groupBy(test, (row) => row.source))) {
    const logits = (await judge.score(rows.map((row) => row.text))).map(({ logit }) => logit);
    const side = (yes: boolean) => logits.filter((_, i) => (rows[i]?.targets.TOXICITY ?? 0) > 0.5 === yes);
    const [toxic, clean] = [side(true), side(false)];
    const share = (values: readonly number[]) => (values.length === 0 ? "" : percent(shareAbove(values, 0)));
    const area = toxic.length > 0 && clean.length > 0 ? areaUnderCurve(toxic, clean).toFixed(3) : "";
    console.log(`| ${source} | ${rows.length} | ${toxic.length} | ${area} | ${share(clean)} | ${share(toxic)} |`);
  }
}

async function printCalibration(): Promise<void> {
  const rows = test.filter((row) => row.source === "jigsaw");
  const scores = await judge.score(rows.map((row) => row.text));
  console.log("\n| score on held-out Jigsaw | n | mean score | share toxic |\n|---|---|---|---|");
  for (let fifth = 0; fifth < 5; fifth++) {
    const within = scores.flatMap(({ toxicity }, i) => (Math.min(4, Math.floor(5 * toxicity)) === fifth ? [i] : []));
    const score = mean(within.map((i) => scores[i]?.toxicity ?? 0)).toFixed(2);
    const share = mean(within.map((i) => rows[i]?.targets.TOXICITY ?? 0)).toFixed(2);
    console.log(`| ${fifth / 5}-${(fifth + 1) / 5} | ${within.length} | ${score} | ${share} |`);
  }
}

async function printIdentities(): Promise<void> {
  const others = await auditIdentities(reward);
  console.log("\n| term | judge: score | log-odds | reward: log-odds |\n|---|---|---|---|");
  for (const [i, { term, toxicity, logit }] of (await auditIdentities(judge)).entries()) {
    console.log(`| ${term} | ${toxicity.toFixed(2)} | ${logit.toFixed(1)} | ${others[i]?.logit.toFixed(1)} |`);
  }
  const { ordered, hostileAbove, harmlessAbove, pairs } = await auditPairs(judge);
  console.log(`\nOf ${pairs} pairs the hostile sentence scores higher in ${percent(ordered)};`);
  console.log(`above 0.5: ${percent(hostileAbove)} of hostile, ${percent(harmlessAbove)} of harmless ones.`);
}

async function printLatency(): Promise<void> {
  const texts = test.filter((row) => row.source === "jigsaw").slice(0, 1000);
  const times: number[] = [];
  for (const { text } of texts) {
    const before = performance.now();
    await judge.score([text]);
    times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(share * (times.length - 1))]?.toFixed(2);
  const words = mean(texts.map(({ text }) => text.split(/\s+/).length)).toFixed(0);
  console.log(
    `\nOne text at a time (${words} words on average): median ${at(0.5)} ms, 95th percentile ${at(0.95)} ms.`,
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
