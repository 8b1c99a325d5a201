/** What the log-probs of candidate and baseline say. */
import type { GateCheck, GateLimits } from "../contract.ts";
import { mean, options, shownAbove, toCheck } from "./finding.ts";
import { bootstrap, meanInterval } from "./intervals.ts";
import type { Measurements } from "./measurements.ts";

export function klCheck({ replies }: Measurements, limits: GateLimits, seed: number): GateCheck {
  const kl = replies.map((likelihood) => likelihood.kl);
  const difference = meanInterval(kl, options(limits, seed, "kl"));
  const finding = {
    name: "kl",
    what: "KL to the baseline",
    candidate: difference.estimate,
    baseline: null,
    difference,
    limit: limits.kl,
    unit: "nats a reply",
    n: kl.length,
    isHarm: limits.kl !== null && difference.low > limits.kl,
    rule: limits.kl === null ? "" : shownAbove(limits.kl),
  };
  return toCheck(finding, limits.confidence);
}

/** Null where no held-out prompt came with a reply. */
export function perplexityCheck({ heldOut }: Measurements, limits: GateLimits, seed: number): GateCheck | null {
  if (heldOut.length === 0) return null;
  const rows = heldOut.map(({ candidate, baseline, tokens }) => [candidate, baseline, tokens]);
  const perplexity = (at: 0 | 1) => {
    return Math.exp(-mean(rows.map((row) => row[at] as number)) / mean(rows.map((row) => row[2] as number)));
  };
  const ratio = ([ours = 0, theirs = 0, tokens = 1]: readonly number[]) => Math.exp((theirs - ours) / tokens);
  const difference = bootstrap(rows, ratio, options(limits, seed, "perplexity"));
  const finding = {
    name: "perplexity",
    what: "Perplexity of people's replies to held-out prompts",
    candidate: perplexity(0),
    baseline: perplexity(1),
    difference,
    limit: limits.perplexity,
    unit: "times the baseline's",
    n: rows.length,
    isHarm: !(difference.low <= limits.perplexity),
    rule: shownAbove(limits.perplexity),
  };
  return toCheck(finding, limits.confidence);
}
