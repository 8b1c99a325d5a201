import type { GateVerdict } from "../contract.ts";

const signed = (value: number) => `${value >= 0 ? "+" : ""}${Number(value.toPrecision(3))}`;

/** The verdict in a sentence or two: what decided, and what operators ask first. */
export function summarize(verdict: Omit<GateVerdict, "summary">, judgeIsReward: boolean): string {
  const { passed, candidate, baseline, prompts, judge, checks, offPolicy } = verdict;
  const against = baseline === null ? "the base model" : `${baseline.name}@${baseline.version}`;
  const failed = checks.filter((check) => !check.passed);
  const judged = checks.filter(({ limit }) => limit !== null).length;
  const outcome = passed
    ? `passed all ${judged} checks`
    : `failed ${failed.length} of ${judged} checks (${failed.map(({ name }) => name).join(", ")})`;
  const toxicity = checks.find(({ name }) => name === "toxicity")?.difference;
  const reward = checks.find(({ name }) => name === "reward")?.difference;
  const parts = [
    `${candidate.name}@${candidate.version} ${outcome} against ${against} on ${prompts} held-out prompts.`,
  ];
  if (toxicity != null) {
    parts.push(
      `Toxicity by ${judge.name}: ${signed(toxicity.estimate)} (${signed(toxicity.low)} to ${signed(toxicity.high)}).`,
    );
  }
  if (reward != null) {
    parts.push(`Reward: ${signed(reward.estimate)} (${signed(reward.low)} to ${signed(reward.high)}).`);
  }
  if (offPolicy !== null) {
    const { estimate, low, high, effectiveSampleSize, n } = offPolicy;
    parts.push(
      `On ${n} logged replies, ${effectiveSampleSize.toFixed(0)} of them effective, its reward is estimated at ` +
        `${signed(estimate)} (${signed(low)} to ${signed(high)}), the log's own is ${signed(offPolicy.baseline)}.`,
    );
  }
  if (judgeIsReward) parts.push(`The judge is the reward itself, so that gaming the reward goes unseen.`);
  return parts.join(" ");
}
