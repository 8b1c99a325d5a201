/** Which metrics of a run are drawn first, and what they are called. */

export interface Curve {
  metric: string;
  title: string;
}

const main: readonly Curve[] = [
  { metric: "reward", title: "Reward" },
  { metric: "klReference", title: "KL to the reference (nats a reply)" },
  { metric: "loss", title: "Policy loss" },
  { metric: "clipFraction", title: "Clip fraction" },
  { metric: "entropy", title: "Entropy (nats a token)" },
];

/** The main curves that the run has, then everything else it reports under its own name. */
export function chooseCurves(metrics: readonly string[]): { first: Curve[]; others: Curve[] } {
  const first = main.filter(({ metric }) => metrics.includes(metric));
  const others = metrics
    .filter((metric) => !main.some((curve) => curve.metric === metric))
    .map((metric) => ({ metric, title: metric }));
  return { first, others };
}
