import { Router } from "express";
import type { Page, TrainingRun, TrainingRunAccepted } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import { startRunSchema } from "./requests.ts";
import type { TrainingService } from "./service.ts";

/** Runs are few: one page holds them all. */
const mostRuns = 1000;

function notFound(id: string): RequestError {
  return new RequestError(404, "unknown_run", `There is no training run ${id.slice(0, 80)}.`);
}

/** `/api/training/runs`. */
export function createTrainingRoutes(training: TrainingService): Router {
  const router = Router();

  router.post("/api/training/runs", async (request, response) => {
    const asked = startRunSchema.parse(request.body ?? {});
    const trigger = request.get("x-rejoinder-client") === "cli" ? "cli" : "api";
    const { id } = await training.start({ ...asked, trigger });
    const accepted: TrainingRunAccepted = { id };
    response.status(202).location(`/api/training/runs/${id}`).json(accepted);
  });

  router.get("/api/training/runs", async (_request, response) => {
    const items = await training.list(mostRuns);
    const page: Page<TrainingRun> = { items, nextCursor: null, total: items.length };
    response.json(page);
  });

  router.get("/api/training/runs/:id", async (request, response) => {
    const run = await training.get(request.params.id);
    if (run === null) throw notFound(request.params.id);
    response.json(run);
  });

  router.post("/api/training/runs/:id/cancel", async (request, response) => {
    const run = await training.cancel(request.params.id);
    if (run === null) throw notFound(request.params.id);
    if (run === "ended") throw new RequestError(409, "already_ended", "The training run has ended already.");
    response.status(202).json(run);
  });

  return router;
}
