import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { AdapterName } from "../shell/adapter-name.tsx";
import { compactCount } from "./format.ts";
import classes from "./operate.module.css";
import { fetchStatus, operateKeys } from "./operate-api.ts";
import { Section } from "./section.tsx";
import { StateBadge } from "./state-badge.tsx";

/** What the server runs right now. */
export function StatusSection() {
  const { data, error, isPending } = useQuery({
    queryKey: operateKeys.status,
    queryFn: fetchStatus,
    refetchInterval: 15_000,
  });
  return (
    <Section title="Server" isLoading={isPending} error={error}>
      {data && (
        <dl className={classes.facts}>
          <Fact name="Model" note={`${data.model.architecture}, ${compactCount(data.model.parameters)} parameters`}>
            {data.model.id}
          </Fact>
          <Fact name="Weights">{data.model.quantization === "none" ? "not quantized" : data.model.quantization}</Fact>
          <Fact name="Adapter" note={<StateBadge state={data.adapter.state} />}>
            {data.adapter.state === "base" ? "none" : <AdapterName adapter={data.adapter} />}
          </Fact>
          <Fact name="Reward" note={<span className="mono">{data.reward.version}</span>}>
            {data.reward.name}
          </Fact>
          <Fact name="Training">{data.training.state}</Fact>
          <Fact name="Version">{data.version}</Fact>
        </dl>
      )}
    </Section>
  );
}

function Fact({ name, note, children }: { name: string; note?: ReactNode; children: ReactNode }) {
  return (
    <div className={classes.fact}>
      <dt>{name}</dt>
      <dd>
        {children}
        {note && <div className={classes.note}>{note}</div>}
      </dd>
    </div>
  );
}
