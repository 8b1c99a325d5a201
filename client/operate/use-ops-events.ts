/** Keeps the operate page's data live from the `/ops` namespace, and collects the alerts. */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { io, type Socket } from "socket.io-client";
import type { AlertEvent, OpsServerEvents, Page, TrainingRun, TrainingRunDetail } from "../../server/protocol/index.ts";
import { operateKeys } from "./operate-api.ts";
import { addMetric, putRun } from "./run-history.ts";

export interface OpsEvents {
  isConnected: boolean;
  /** Newest first, since the page was opened. */
  alerts: readonly AlertEvent[];
}

const alertsKept = 50;

export function useOpsEvents(): OpsEvents {
  const queryClient = useQueryClient();
  const [isConnected, setConnected] = useState(false);
  const [alerts, setAlerts] = useState<readonly AlertEvent[]>([]);

  useEffect(() => {
    const socket: Socket<OpsServerEvents> = io("/ops", { transports: ["websocket", "polling"], forceNew: true });
    socket.on("connect", () => {
      setConnected(true);
      // Whatever happened while the connection was away.
      refresh(queryClient, [["status"], ["runs"], ["run"], ["adapters"], ["deployments"]]);
    });
    socket.on("disconnect", () => setConnected(false));
    socket.on("run", (run) => takeRun(queryClient, run));
    socket.on("metric", (event) => {
      queryClient.setQueryData<TrainingRunDetail>(
        operateKeys.run(event.runId),
        (detail) => detail && { ...detail, history: addMetric(detail.history, event) },
      );
    });
    socket.on("deployment", () => {
      refresh(queryClient, [operateKeys.deployments, operateKeys.adapters, operateKeys.status]);
    });
    socket.on("alert", (alert) => setAlerts((all) => [alert, ...all].slice(0, alertsKept)));
    return () => {
      socket.removeAllListeners();
      socket.disconnect();
    };
  }, [queryClient]);

  return { isConnected, alerts };
}

function takeRun(queryClient: QueryClient, run: TrainingRun): void {
  const before = queryClient.getQueryData<Page<TrainingRun>>(operateKeys.runs);
  const stateBefore = before?.items.find((other) => other.id === run.id)?.state;
  queryClient.setQueryData<Page<TrainingRun>>(
    operateKeys.runs,
    (page) => page && { ...page, items: putRun(page.items, run) },
  );
  queryClient.setQueryData<TrainingRunDetail>(operateKeys.run(run.id), (detail) => detail && { ...detail, ...run });
  if (run.state === stateBefore) return;
  // A run that ends has made an adapter.
  refresh(queryClient, [operateKeys.runs, operateKeys.run(run.id), operateKeys.status, operateKeys.adapters]);
}

/** Fetches anew; an answer that is already on its way may be older than the event and is dropped. */
function refresh(queryClient: QueryClient, queryKeys: readonly (readonly string[])[]): void {
  for (const queryKey of queryKeys) {
    void queryClient.cancelQueries({ queryKey }).then(() => queryClient.invalidateQueries({ queryKey }));
  }
}
