/** Training runs with the curves of one of them, and the button that starts another. */
import { Button, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Icon } from "../shell/icon.tsx";
import { cancelRun, fetchRuns, operateKeys, startPpoRun } from "./operate-api.ts";
import { RunCurves } from "./run-curves.tsx";
import { isUnfinishedRun, runToShow } from "./run-history.ts";
import { RunsTable } from "./runs-table.tsx";
import { Section } from "./section.tsx";

export function RunsSection() {
  const queryClient = useQueryClient();
  const runs = useQuery({ queryKey: operateKeys.runs, queryFn: fetchRuns });
  const [chosen, setChosen] = useState<string | null>(null);
  const refresh = () => queryClient.invalidateQueries({ queryKey: operateKeys.runs });
  const start = useMutation({
    mutationFn: startPpoRun,
    onSuccess: ({ id }) => setChosen(id),
    onSettled: refresh,
  });
  const cancel = useMutation({ mutationFn: cancelRun, onSettled: refresh });

  const items = runs.data?.items ?? [];
  const shown = items.find((run) => run.id === chosen) ?? runToShow(items);
  const isBusy = items.some(isUnfinishedRun);

  return (
    <Section
      title="Training"
      isLoading={runs.isPending}
      error={runs.error ?? start.error ?? cancel.error}
      actions={
        <Button
          leftSection={<Icon name="play" size={16} />}
          loading={start.isPending}
          disabled={isBusy}
          onClick={() => start.mutate()}
        >
          {isBusy ? "A run is under way" : "Start a PPO run"}
        </Button>
      }
    >
      {items.length === 0 ? (
        <Text size="sm" c="dimmed">
          No run yet. A run trains a new adapter on the logged exchanges whose authors agreed to it.
        </Text>
      ) : (
        <RunsTable runs={items} shown={shown?.id} onShow={setChosen} onCancel={(id) => cancel.mutate(id)} />
      )}
      {shown && <RunCurves runId={shown.id} />}
    </Section>
  );
}
