import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Deployment } from "../../server/protocol/index.ts";
import { AdapterName } from "../shell/adapter-name.tsx";
import { percent } from "./format.ts";
import { LogList } from "./log-list.tsx";
import { fetchDeployments, operateKeys } from "./operate-api.ts";
import { Section } from "./section.tsx";

const done: Record<Deployment["action"], string> = {
  promote: "promoted",
  rollback: "rolled back to",
  retire: "retired",
  reject: "rejected",
  shadow: "put in shadow",
  canary: "put in canary",
};

/** Who put which adapter where or took it away, when and why. */
export function DeploymentsSection() {
  const { data, error, isPending } = useQuery({ queryKey: operateKeys.deployments, queryFn: fetchDeployments });
  const items = [...(data?.items ?? [])].sort((a, b) => b.id - a.id);
  return (
    <Section title="Deployments" isLoading={isPending} error={error}>
      {items.length === 0 && (
        <Text size="sm" c="dimmed">
          Nothing has been deployed yet.
        </Text>
      )}
      <LogList
        entries={items.map(({ id, at, actor, action, to, share, reason }) => ({
          key: String(id),
          at,
          what: (
            <>
              {actor} {done[action]} <AdapterName adapter={to} />
              {share !== undefined && `, ${percent(share)}`}
            </>
          ),
          note: reason,
        }))}
      />
    </Section>
  );
}
