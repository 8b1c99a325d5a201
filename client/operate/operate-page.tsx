/** What is serving, what is training, and the switches of both. */
import { Title } from "@mantine/core";
import { AdaptersSection } from "./adapters-section.tsx";
import { AlertsSection } from "./alerts-section.tsx";
import { DeploymentsSection } from "./deployments-section.tsx";
import classes from "./operate.module.css";
import { RunsSection } from "./runs-section.tsx";
import { StatusSection } from "./status-section.tsx";
import { useOpsEvents } from "./use-ops-events.ts";

export function OperatePage() {
  const { isConnected, alerts } = useOpsEvents();
  return (
    <div className={classes.page}>
      <div className={classes.heading}>
        <Title order={1}>Operate</Title>
        <span className={classes.quiet} role="status">
          {isConnected ? "Live" : "Connecting to live updates…"}
        </span>
      </div>
      <StatusSection />
      <RunsSection />
      <AdaptersSection />
      <div className={classes.pair}>
        <DeploymentsSection />
        <AlertsSection alerts={alerts} />
      </div>
    </div>
  );
}
