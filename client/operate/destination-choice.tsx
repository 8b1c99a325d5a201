/** Where a version is to go, and with what share of the traffic. */
import { Input, NumberInput, SegmentedControl } from "@mantine/core";
import { type DeploymentStage, deploymentStages } from "../../server/protocol/index.ts";
import type { Destination } from "./operate-api.ts";

export interface DestinationChoiceProps {
  value: Destination;
  onChange: (value: Destination) => void;
}

/** What the server does when nothing is said. */
const usualShares: Record<DeploymentStage, number> = { shadow: 0.25, canary: 0.1, live: 1 };

export function DestinationChoice({ value, onChange }: DestinationChoiceProps) {
  return (
    <>
      <Input.Wrapper label="Stage" mb="sm">
        <SegmentedControl
          fullWidth
          aria-label="Stage"
          data={[...deploymentStages]}
          value={value.stage}
          onChange={(stage) => onChange({ stage, share: usualShares[stage] })}
        />
      </Input.Wrapper>
      {value.stage !== "live" && (
        <NumberInput
          mb="sm"
          label={value.stage === "canary" ? "Share of conversations, %" : "Share of exchanges with consent, %"}
          min={0}
          max={100}
          clampBehavior="strict"
          value={value.share * 100}
          onChange={(percentage) => onChange({ ...value, share: Number(percentage) / 100 })}
        />
      )}
    </>
  );
}
