import type { TrainingRun, TrainingRunAccepted, TrainingRunDetail } from "../protocol/index.ts";
import type { StartRun } from "../training/requests.ts";
import type { ApiClient } from "./api-client.ts";

/** Where a run is asked for and watched: a running server or this process. */
export interface TrainingPlace {
  start(request: Partial<StartRun> & Pick<StartRun, "algorithm">): Promise<string>;
  get(id: string): Promise<TrainingRunDetail>;
  close(): Promise<void>;
}

export function trainingOnServer(server: ApiClient): TrainingPlace {
  return {
    start: async (request) => (await server.post<TrainingRunAccepted>("/api/training/runs", request)).id,
    get: (id) => server.get(`/api/training/runs/${encodeURIComponent(id)}`),
    close: async () => undefined,
  };
}

const lookEveryMs = 300;

/** Looks at a run until it has ended. */
export async function watchRun(
  place: TrainingPlace,
  id: string,
  onChange: (run: TrainingRun) => void,
): Promise<TrainingRunDetail> {
  for (;;) {
    const run = await place.get(id);
    onChange(run);
    if (run.finishedAt !== null) return run;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}
