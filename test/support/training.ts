/** Training runs through the server's public API. */
import type { TrainingRun } from "../../server/protocol/index.ts";

const ended = new Set(["succeeded", "rejected", "failed", "cancelled"]);

interface TrainOptions {
  /** Milliseconds. */
  timeout?: number;
  /** Whether a result that the gate turns away is a result, too. */
  mayBeRejected?: boolean;
}

/** @throws Error when the run is refused or does not succeed in time */
export async function trainOnce(
  url: string,
  body: object,
  { timeout = 900_000, mayBeRejected = false }: TrainOptions = {},
): Promise<TrainingRun> {
  const answer = await fetch(`${url}/api/training/runs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.status !== 202) throw new Error(`POST /api/training/runs: ${answer.status} ${await answer.text()}`);
  const { id } = (await answer.json()) as { id: string };
  const deadline = performance.now() + timeout;
  for (;;) {
    const run = (await (await fetch(`${url}/api/training/runs/${id}`)).json()) as TrainingRun;
    if (run.state === "succeeded" || (mayBeRejected && run.state === "rejected")) return run;
    if (ended.has(run.state)) throw new Error(`run ${id} ${run.state}: ${JSON.stringify(run.error)}`);
    if (performance.now() > deadline)
      throw new Error(`run ${id} is still ${run.state} at step ${run.step}/${run.steps}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
