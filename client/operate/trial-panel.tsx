/** The candidate on trial, and how it does beside the live adapter. */
import { Text } from "@mantine/core";
import type { Interval, ServerStatus } from "../../server/protocol/index.ts";
import { AdapterName } from "../shell/adapter-name.tsx";
import { percent, shortTime, signed } from "./format.ts";
import classes from "./operate.module.css";

const of = { canary: "of conversations", shadow: "of exchanges with consent, unseen" };

function range(interval: Interval | null): string {
  if (interval === null) return "not yet known";
  return `${signed(interval.estimate)} (${signed(interval.low)} to ${signed(interval.high)})`;
}

export function TrialPanel({ trial }: { trial: NonNullable<ServerStatus["trial"]> }) {
  const { stage, share, since, comparison } = trial;
  return (
    <div className={classes.trial}>
      <Text size="sm">
        <AdapterName adapter={trial} /> is in {stage} since {shortTime(since)}, with {percent(share)} {of[stage]}.
      </Text>
      <Text size="sm" className={classes.number}>
        {comparison.replies} replies beside {comparison.liveReplies} of the live adapter. Candidate less live: toxicity{" "}
        {range(comparison.toxicity)}, reward {range(comparison.reward)}.
      </Text>
    </div>
  );
}
