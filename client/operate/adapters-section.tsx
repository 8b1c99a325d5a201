/** All adapter versions, with promotion and the way back. */
import { Button, Table, Text, VisuallyHidden } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Icon } from "../shell/icon.tsx";
import { AdapterRow } from "./adapter-row.tsx";
import { DeploymentDialog } from "./deployment-dialog.tsx";
import classes from "./operate.module.css";
import { type DeploymentNote, fetchAdapters, operateKeys, promoteAdapter, rollBackAdapter } from "./operate-api.ts";
import { Section } from "./section.tsx";

/** A version to promote, or the way back to what was live before. */
type Change = { action: "promote"; version: number } | { action: "rollback" };

export function AdaptersSection() {
  const queryClient = useQueryClient();
  const adapters = useQuery({ queryKey: operateKeys.adapters, queryFn: fetchAdapters });
  const [asked, setAsked] = useState<Change | null>(null);
  const deploy = useMutation({
    mutationFn: ({ change, note }: { change: Change; note: DeploymentNote }) =>
      change.action === "promote" ? promoteAdapter(change.version, note) : rollBackAdapter(note),
    onSuccess: () => setAsked(null),
    onSettled: () => {
      for (const queryKey of [operateKeys.adapters, operateKeys.deployments, operateKeys.status]) {
        void queryClient.invalidateQueries({ queryKey });
      }
    },
  });
  const ask = (change: Change) => {
    deploy.reset();
    setAsked(change);
  };
  const items = [...(adapters.data?.items ?? [])].sort((a, b) => b.version - a.version);
  const live = items.find((adapter) => adapter.state === "live");

  return (
    <Section
      title="Adapters"
      isLoading={adapters.isPending}
      error={adapters.error}
      actions={
        <Button
          variant="default"
          leftSection={<Icon name="undo" size={16} />}
          disabled={!live}
          onClick={() => ask({ action: "rollback" })}
        >
          Roll back
        </Button>
      }
    >
      {items.length === 0 ? (
        <Text size="sm" c="dimmed">
          No adapter yet: the base model answers.
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={700} mah={420}>
          <Table className={classes.table} verticalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Version</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Parent</Table.Th>
                <Table.Th>LoRA</Table.Th>
                <Table.Th>Metrics</Table.Th>
                <Table.Th>Made</Table.Th>
                <Table.Th>
                  <VisuallyHidden>Actions</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((adapter) => (
                <AdapterRow
                  key={adapter.version}
                  adapter={adapter}
                  onPromote={() => ask({ action: "promote", version: adapter.version })}
                />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {asked && (
        <DeploymentDialog
          title={asked.action === "promote" ? `Promote version ${asked.version}?` : "Roll back?"}
          consequence={
            asked.action === "promote"
              ? `Every new reply is written by version ${asked.version}. Replies under way finish with their own.`
              : `Version ${live?.version ?? ""} retires, and what was live before it answers again.`
          }
          confirm={asked.action === "promote" ? "Promote" : "Roll back"}
          isPending={deploy.isPending}
          error={deploy.error}
          onConfirm={(note) => deploy.mutate({ change: asked, note })}
          onCancel={() => setAsked(null)}
        />
      )}
    </Section>
  );
}
