/** The curves of one run, redrawn as its metrics come in. */
import { Anchor, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { CurveChart } from "./curve-chart.tsx";
import { chooseCurves } from "./curve-choice.ts";
import classes from "./operate.module.css";
import { fetchRun, operateKeys } from "./operate-api.ts";
import { curvesOf, isUnfinishedRun } from "./run-history.ts";

export function RunCurves({ runId }: { runId: string }) {
  const [showsAll, setShowsAll] = useState(false);
  const { data, error } = useQuery({ queryKey: operateKeys.run(runId), queryFn: () => fetchRun(runId) });
  if (error) return <Text c="red">{error.message}</Text>;
  if (!data) return null;

  const curves = curvesOf(data);
  const { first, others } = chooseCurves([...curves.keys()]);
  const shown = showsAll ? [...first, ...others] : first;
  if (curves.size === 0) {
    return (
      <Text size="sm" c="dimmed" mt="md">
        {isUnfinishedRun(data) ? "The curves begin with this run's first step." : "This run took no step."}
      </Text>
    );
  }
  return (
    <>
      <div className={classes.curves}>
        {shown.map(({ metric, title }) => (
          <CurveChart key={metric} title={title} points={curves.get(metric) ?? []} />
        ))}
      </div>
      {others.length > 0 && (
        <Anchor component="button" type="button" size="sm" onClick={() => setShowsAll(!showsAll)}>
          {showsAll ? "Only the main curves" : `${others.length} more curves`}
        </Anchor>
      )}
    </>
  );
}
