/** All adapter versions, with promotion and the way back. */
import { Button, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Trial } from "../../server/protocol/index.ts";
import { Icon } from "../shell/icon.tsx";
import { AdapterTable } from "./adapter-table.tsx";
import { DeploymentDialog } from "./deployment-dialog.tsx";
import { DestinationChoice } from "./destination-choice.tsx";
import {
  type DeploymentNote,
  type Destination,
  fetchAdapters,
  fetchStatus,
  operateKeys,
  promoteAdapter,
  rollBackAdapter,
} from "./operate-api.ts";
import { Section } from "./section.tsx";
import { TrialPanel } from "./trial-panel.tsx";

/** A version to promote, or the way back. */
type Change = { action: "promote"; version: number; to: Destination } | { action: "rollback" };

function consequenceOf(change: Change, liveVersion: number | undefined, trial: Trial | null): string {
  if (change.action === "rollback") {
    if (trial !== null) return `Version ${trial.version} leaves ${trial.stage}; the live adapter goes on answering.`;
    return `Version ${liveVersion ?? ""} retires, and what was live before it answers again.`;
  }
  const { version, to } = change;
  if (to.stage === "live") {
    return `Every new reply is written by version ${version}. Replies under way finish with their own.`;
  }
  if (to.stage === "canary") return `Version ${version} answers its share of conversations, each of them throughout.`;
  return `Version ${version} answers again what the live adapter has answered. Nobody sees that.`;
}

export function AdaptersSection() {
  const queryClient = useQueryClient();
  const adapters = useQuery({ queryKey: operateKeys.adapters, queryFn: fetchAdapters });
  const status = useQuery({ queryKey: operateKeys.status, queryFn: fetchStatus });
  const [asked, setAsked] = useState<Change | null>(null);
  const deploy = useMutation({
    mutationFn: ({ change, note }: { change: Change; note: DeploymentNote }) =>
      change.action === "promote" ? promoteAdapter(change.version, change.to, note) : rollBackAdapter(note),
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
  const trial = status.data?.trial ?? null;
  const rollback = trial === null ? "Roll back" : `End ${trial.stage}`;

  return (
    <Section
      title="Adapters"
      isLoading={adapters.isPending}
      error={adapters.error}
      actions={
        <Button
          variant="default"
          leftSection={<Icon name="undo" size={16} />}
          disabled={!live && trial === null}
          onClick={() => ask({ action: "rollback" })}
        >
          {rollback}
        </Button>
      }
    >
      {trial && <TrialPanel trial={trial} />}
      {items.length === 0 ? (
        <Text size="sm" c="dimmed">
          No adapter yet: the base model answers.
        </Text>
      ) : (
        <AdapterTable
          adapters={items}
          trial={trial}
          onPromote={(version) => ask({ action: "promote", version, to: { stage: "live", share: 1 } })}
        />
      )}
      {asked && (
        <DeploymentDialog
          title={asked.action === "promote" ? `Promote version ${asked.version}?` : `${rollback}?`}
          consequence={consequenceOf(asked, live?.version, trial)}
          confirm={asked.action === "promote" ? "Promote" : rollback}
          isPending={deploy.isPending}
          error={deploy.error}
          onConfirm={(note) => deploy.mutate({ change: asked, note })}
          onCancel={() => setAsked(null)}
        >
          {asked.action === "promote" && (
            <DestinationChoice value={asked.to} onChange={(to) => setAsked({ ...asked, to })} />
          )}
        </DeploymentDialog>
      )}
    </Section>
  );
}
