import { Button, Progress, Table, VisuallyHidden } from "@mantine/core";
import type { TrainingRun } from "../../server/protocol/index.ts";
import { AdapterName } from "../shell/adapter-name.tsx";
import { shortTime } from "./format.ts";
import classes from "./operate.module.css";
import { isUnfinishedRun } from "./run-history.ts";
import { StateBadge } from "./state-badge.tsx";

export interface RunsTableProps {
  runs: readonly TrainingRun[];
  /** Id of the run whose curves are shown. */
  shown: string | undefined;
  onShow: (id: string) => void;
  onCancel: (id: string) => void;
}

export function RunsTable({ runs, shown, onShow, onCancel }: RunsTableProps) {
  return (
    <Table.ScrollContainer minWidth={640} mah={320}>
      <Table className={classes.table} verticalSpacing={6} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Run</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Steps</Table.Th>
            <Table.Th>Exchanges</Table.Th>
            <Table.Th>From</Table.Th>
            <Table.Th>Result</Table.Th>
            <Table.Th>
              <VisuallyHidden>Actions</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {runs.map((run) => (
            <Table.Tr key={run.id} className={run.id === shown ? classes.chosen : undefined}>
              <Table.Td>
                <button
                  type="button"
                  className={classes.rowButton}
                  aria-pressed={run.id === shown}
                  title="Show this run's curves"
                  onClick={() => onShow(run.id)}
                >
                  {run.algorithm.toUpperCase()} <span className={classes.quiet}>by {run.trigger}</span>
                </button>
                <div className={classes.quiet}>{shortTime(run.createdAt)}</div>
              </Table.Td>
              <Table.Td>
                <StateBadge state={run.state} />
                {run.error && <div className={classes.fault}>{run.error.message}</div>}
              </Table.Td>
              <Table.Td miw="7rem">
                <StepProgress run={run} />
              </Table.Td>
              <Table.Td className={classes.number}>{run.exchanges}</Table.Td>
              <Table.Td>{run.parent ? <AdapterName adapter={run.parent} /> : "base"}</Table.Td>
              <Table.Td>{run.result ? <AdapterName adapter={run.result} /> : "–"}</Table.Td>
              <Table.Td ta="right">
                {isUnfinishedRun(run) && (
                  <Button size="compact-sm" variant="default" onClick={() => onCancel(run.id)}>
                    Cancel
                  </Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** Of a run under way how far it is; of one that is over how many steps it took, which early stopping may have made few. */
function StepProgress({ run }: { run: TrainingRun }) {
  const { step, steps } = run;
  if (steps === 0) return "–";
  if (!isUnfinishedRun(run)) return <span className={classes.number}>{step}</span>;
  return (
    <>
      <span className={classes.number}>
        {step} / {steps}
      </span>
      <Progress size="xs" mt={4} value={(100 * step) / steps} aria-label="Steps done" />
    </>
  );
}
