import { Router } from "express";
import type { ServerStatus } from "../protocol/index.ts";

/** `/api/status`: what is being served, by which adapter, judged by what. */
export function createStatusRoute(status: () => Promise<ServerStatus>): Router {
  const router = Router();
  router.get("/api/status", async (_request, response) => {
    response.json(await status());
  });
  return router;
}
