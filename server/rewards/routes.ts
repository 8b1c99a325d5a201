import { Router } from "express";
import type { RescoreService } from "./service.ts";

/** `/api/rewards/re-score`: asks for it, and tells how far it has come. */
export function createRewardRoutes(rescoring: RescoreService): Router {
  const router = Router();

  router.post("/api/rewards/re-score", async (_request, response) => {
    response.status(202).json(await rescoring.start());
  });

  router.get("/api/rewards/re-score", async (_request, response) => {
    response.json(await rescoring.status());
  });

  return router;
}
