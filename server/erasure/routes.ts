import { Router } from "express";
import type { ErasureService } from "./service.ts";

/** `DELETE /api/users/:id/data`. Who may ask for it is not asked until sign-in exists. */
export function createErasureRoutes(erasure: ErasureService): Router {
  const router = Router();

  router.delete("/api/users/:id/data", async (request, response) => {
    response.json(await erasure.erase(request.params.id));
  });

  return router;
}
