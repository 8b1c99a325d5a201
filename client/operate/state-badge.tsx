import { Badge } from "@mantine/core";
import type { RunState, ServerStatus } from "../../server/protocol/index.ts";

type State = RunState | ServerStatus["adapter"]["state"] | "passed";

const colors: Record<State, string> = {
  queued: "gray",
  running: "blue",
  gating: "blue",
  succeeded: "teal",
  passed: "teal",
  rejected: "red",
  failed: "red",
  cancelled: "gray",
  candidate: "blue",
  shadow: "grape",
  canary: "yellow",
  live: "teal",
  retired: "gray",
  base: "gray",
};

/** The state of a run or an adapter, as a word. */
export function StateBadge({ state }: { state: State }) {
  return (
    <Badge variant="dot" color={colors[state]} tt="none" size="sm" fw={500} miw="max-content">
      {state}
    </Badge>
  );
}
