import { Router } from "express";
import { versionSchema } from "../adapters/routes.ts";
import type { GateService } from "./service.ts";

/** `/api/adapters/:version/gate`. */
export function createGateRoutes(gates: GateService): Router {
  const router = Router();

  router.post("/api/adapters/:version/gate", async (request, response) => {
    const version = versionSchema.parse(request.params.version);
    response
      .status(202)
      .location(`/api/adapters/${version}/gate`)
      .json(await gates.start(version));
  });

  router.get("/api/adapters/:version/gate", async (request, response) => {
    response.json(await gates.status(versionSchema.parse(request.params.version)));
  });

  return router;
}
