import { Button, Table, Text } from "@mantine/core";
import type { AdapterSummary, Trial } from "../../server/protocol/index.ts";
import { AdapterName } from "../shell/adapter-name.tsx";
import { metricValue, percent, shortTime } from "./format.ts";
import classes from "./operate.module.css";
import { StateBadge } from "./state-badge.tsx";

const metricsShown = 4;

export interface AdapterRowProps {
  adapter: AdapterSummary;
  /** What is on trial, this version or another. */
  trial: Trial | null;
  onPromote: () => void;
}

export function AdapterRow({ adapter, trial, onPromote }: AdapterRowProps) {
  const metrics = Object.entries(adapter.metrics).map(([name, value]) => `${name} ${metricValue(value)}`);
  return (
    <Table.Tr className={adapter.state === "live" ? classes.chosen : undefined}>
      <Table.Td>
        <AdapterName adapter={adapter} />
      </Table.Td>
      <Table.Td>
        <StateBadge state={adapter.state} />
        {trial?.version === adapter.version && <span className={classes.note}> {percent(trial.share)}</span>}
        {adapter.erasedData !== null && (
          <Text
            size="xs"
            c="dimmed"
            title={`Last ${shortTime(adapter.erasedData.at)}; train without them to replace it`}
          >
            learned from {adapter.erasedData.exchanges} exchanges erased since
          </Text>
        )}
      </Table.Td>
      <Table.Td className={classes.number}>{adapter.parent ?? "base"}</Table.Td>
      <Table.Td className={classes.number} title={`On ${adapter.targetModules.join(", ")}`}>
        rank {adapter.rank}, alpha {adapter.alpha}
      </Table.Td>
      <Table.Td className={classes.metrics} title={metrics.join("\n")}>
        {metrics.length === 0 ? "–" : metrics.slice(0, metricsShown).join(" · ")}
        {metrics.length > metricsShown && ` · +${metrics.length - metricsShown}`}
      </Table.Td>
      <Table.Td>{shortTime(adapter.createdAt)}</Table.Td>
      <Table.Td ta="right">
        {adapter.state !== "live" && (
          <Button size="compact-sm" variant="default" onClick={onPromote}>
            Promote
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
