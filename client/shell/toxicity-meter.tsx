/** How toxic a text was found: a bar, the number and a word, so that colour is never the only sign. */
import { VisuallyHidden } from "@mantine/core";
import { levelOf, type ToxicityLevel } from "./toxicity-level.ts";
import classes from "./toxicity-meter.module.css";

const colors: Record<ToxicityLevel, string> = {
  low: "var(--level-low)",
  medium: "var(--level-medium)",
  high: "var(--level-high)",
};

export interface ToxicityMeterProps {
  /** 0 to 1. */
  value: number;
  /** What the number is about, for people who hear the page. */
  of: "message" | "reply";
  /** Scores of single attributes, shown on hover. */
  attributes?: Record<string, number>;
}

export function ToxicityMeter({ value, of, attributes }: ToxicityMeterProps) {
  const level = levelOf(value);
  const details = Object.entries(attributes ?? {}).map(([name, score]) => `${name} ${score.toFixed(2)}`);
  return (
    <span className={classes.meter} title={details.length > 0 ? details.join("\n") : undefined}>
      <span>
        toxicity<VisuallyHidden> of the {of}</VisuallyHidden>
      </span>
      <span className={classes.track} aria-hidden="true">
        <span className={classes.bar} style={{ width: `${Math.max(4, value * 100)}%`, background: colors[level] }} />
      </span>
      <span className={classes.number}>{value.toFixed(2)}</span>
      <span style={{ color: colors[level] }}>{level}</span>
    </span>
  );
}
